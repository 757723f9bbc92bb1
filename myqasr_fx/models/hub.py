"""Fetching a model from the Hugging Face hub, or finding soon that it cannot be reached."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from myqasr_fx.errors import ModelError
from myqasr_fx.models.hub_cache import CTRANSLATE2, SAFETENSORS, cached_snapshot
from myqasr_fx.models.language_adapter import choose_language, file_of, languages_of
from myqasr_fx.models.refusal import reason

_SECONDS = 8.0
"""How long the hub may take to answer the first question."""

_CONFIGS = ("*.json", "*.txt")

_T = TypeVar("_T")


def download(repo_id: str, language: str | None = None) -> Path:
    """Folder of a hub model: from the local cache when complete there, else downloaded.

    Args:
        repo_id: Its id.
        language: Whose adapter to fetch, of a model with thousands of them.

    Raises:
        ModelError: The hub cannot be reached within seconds, does not have the model, or has it only as pickle.
    """
    folder = cached_snapshot(repo_id)
    known = [] if folder is None else [code.lower() for code in languages_of(path.name for path in folder.iterdir())]
    if known and language and language.lower() not in known:  # that of another language was fetched
        folder = None
    return folder or _fetch(repo_id, language)


def _fetch(repo_id: str, language: str | None) -> Path:
    try:
        info = _within(_SECONDS, lambda: HfApi().model_info(repo_id, timeout=_SECONDS))
        names = [file.rfilename for file in info.siblings or ()]
        weights = next((kind for kind in (SAFETENSORS, CTRANSLATE2) if any(Path(n).match(kind) for n in names)), None)
        if weights is None:
            raise ModelError(
                f"{repo_id}: the hub has no safetensors of it", hint="only safetensors and CTranslate2 models are read"
            )
        allowed = [*_CONFIGS, weights]
        if languages := languages_of(names):
            adapter = file_of(choose_language(repo_id, languages, language))
            shared = [n for n in names if Path(n).match(weights) and not languages_of([n])]
            allowed = [*_CONFIGS, *shared, adapter]
        return Path(snapshot_download(repo_id, revision=info.sha, allow_patterns=allowed))
    except RepositoryNotFoundError as error:  # before its base class below
        problem = "is gated" if isinstance(error, GatedRepoError) else "is not on the hub"
        raise ModelError(f"{repo_id}: the model {problem}", hint="check its name, or run hf auth login") from error
    except HfHubHTTPError as error:
        raise ModelError(f"{repo_id}: the hub refused: {reason(error)}") from error
    except ModelError:
        raise
    except Exception as error:  # transport errors depend on huggingface_hub's HTTP library
        raise ModelError(
            f"{repo_id}: the hub cannot be reached: {reason(error)}",
            hint="give a local folder or a built-in name instead",
        ) from error


def _within(seconds: float, call: Callable[[], _T]) -> _T:
    """Result of ``call``, run in a thread because looking up a host name heeds no timeout.

    Raises:
        TimeoutError: It takes longer.
    """
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return results[0]
