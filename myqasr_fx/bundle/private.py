"""What a manifest may say of the recordings that could not be used: base names, or a count."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_FOLDERS = re.compile(r"""(?<![^\s'"(:=,;])(?:~?/|[A-Za-z]:[\\/])[^\s'"():;,]*[\\/]""")
"""The folders of an absolute path, where it begins a word."""


def without_folders(reason: str, path: Path | None = None) -> str:
    """``reason`` with base names only.

    Args:
        reason: One line about a recording.
        path: The recording, whose own folders may hold spaces; None where there is no file.
    """
    if path is not None and path.name:
        for spelled in (str(path), str(path.absolute())):
            reason = reason.replace(spelled, path.name)
    first, *others = reason.split(": ")  # begins with the recording
    pieces = [first.rpartition("/")[2], *(text.rpartition("/")[2] if text[:1] in "/~" else text for text in others)]
    return _FOLDERS.sub("", ": ".join(pieces))


def count_of(reasons: Iterable[str]) -> tuple[str, ...]:
    """How many there are, in words; empty when there is none."""
    number = len(tuple(reasons))
    return (f"{number} recording{'s' * (number != 1)} could not be used",) if number else ()
