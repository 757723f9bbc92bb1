"""Files in a bundle: their names stay inside its folder, on every system; their bytes have a digest."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from myqasr_fx.errors import BundleError

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f\\<>:"|?*\u200e\u200f\u2028-\u202e\u2066-\u2069]')
"""Control characters and bidi marks, and what Windows or onnxruntime give a meaning of their own."""

_MAX_BYTES = 255  # of one part, on the usual file systems


def check_file_name(name: str) -> None:
    """Refuses what is no relative POSIX path below the folder.

    Raises:
        ValueError: It is absolute, has a part ``..``, a drive letter, a backslash, a control character or a part that
            no file system takes.
    """
    parts = name.split("/")
    if _FORBIDDEN.search(name) or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"name {name[:80]!r}: expected a relative path inside the bundle's folder")
    if any(len(part.encode("utf-8", "replace")) > _MAX_BYTES for part in parts):
        raise ValueError(f"name {name[:40]!r}...: a part of it has more than {_MAX_BYTES} bytes")


def file_inside(folder: Path, name: str) -> Path:
    """The file ``name`` of a bundle; it need not exist.

    Args:
        folder: Of the bundle.
        name: Relative path, as :func:`check_file_name` allows it.

    Raises:
        BundleError: The name is not allowed, or a link leads out of the folder.
    """
    try:
        check_file_name(name)
        path = folder / name
        real, home = path.resolve(), folder.resolve()
    except (ValueError, OSError, RuntimeError) as error:  # a RuntimeError is a loop of links
        raise BundleError(f"{folder}: {error}", hint="take a bundle from a source that you trust") from error
    allowed = [home, *([home.parent.parent / "blobs"] if home.parent.name == "snapshots" else [])]  # a hub's cache
    if not any(real.is_relative_to(place) for place in allowed):
        raise BundleError(f"{path}: a link that leads out of the bundle", hint="copy the file into the folder")
    return path


def is_file(path: Path) -> bool:
    """Whether a file can be looked at; False, too, for names that the file system does not take."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
