"""Sends a bundle to a Hugging Face hub: what clients read, and what was said only where that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # it is documented

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.contents import BUNDLE_FILES
from myqasr_fx.bundle.whole import check_whole
from myqasr_fx.errors import OptionError, OutputError
from myqasr_fx.process.library_error import first_line

TELLING = ("report.html", "report.json", "run.json")
"""Files with texts of the held-out recordings, or about the machine that the bundle was made on."""

_LOGIN = "run hf auth login with a token that may write, or set HF_TOKEN"

_T = TypeVar("_T")


def push(bundle: QuantizedBundle, repo: str, *, private: bool = True, with_report: bool = False) -> str:
    """Uploads a bundle in one commit, and makes the repository where there is none; other files in its folder stay.

    Args:
        bundle: The bundle.
        repo: ``NAME`` or ``OWNER/NAME``.
        private: Of a repository that is made.
        with_report: Also :data:`TELLING`.

    Returns:
        Address of the commit.

    Raises:
        BundleError: A file that clients need is missing, or a model file was changed since it was verified.
        OptionError: The name is none that a hub takes.
        OutputError: The hub cannot be reached, or refuses.
    """
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise OptionError(f"{repo[:80]!r} names no repository", hint="give NAME or OWNER/NAME") from error
    check_whole(bundle)
    api = HfApi()
    made = _told(repo, lambda: api.create_repo(repo, private=private, exist_ok=True))
    manifest = bundle.manifest
    title = f"{manifest.model} in {manifest.model_bytes:,} bytes"
    ours = [name for name in (*BUNDLE_FILES, *(file.name for file in manifest.files)) if not name.startswith("delta/")]
    left = [] if with_report else list(TELLING)
    sent = _told(
        repo,
        lambda: api.upload_folder(
            repo_id=made.repo_id,
            folder_path=bundle.path,
            commit_message=title,
            allow_patterns=ours,
            ignore_patterns=left,
        ),
    )
    return str(sent.commit_url)


def _told(repo: str, call: Callable[[], _T]) -> _T:
    """The result of ``call``; what the hub or the way there says as one error.

    Raises:
        OutputError: It fails.
    """
    try:
        return call()
    except LocalTokenNotFoundError as error:
        raise OutputError(f"{repo}: the hub does not know you", hint=_LOGIN) from error
    except HfHubHTTPError as error:
        refused = error.response is not None and error.response.status_code in (401, 403)
        raise OutputError(f"{repo}: the hub refused: {first_line(error)}", hint=_LOGIN if refused else None) from error
    except Exception as error:  # transport errors depend on huggingface_hub's HTTP library
        hint = "check the network, or copy the folder: it is complete as it lies"
        raise OutputError(f"{repo}: the hub cannot be reached: {first_line(error)}", hint=hint) from error
