"""Half-written entries of a cache that a killed process left behind."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from pathlib import Path

_HALF_WRITTEN = re.compile(r"\..+-[0-9a-f]{32}\.[a-z0-9_]{8}")  # as tempfile names them
_SECONDS = 24 * 3600.0


def remove_abandoned(folder: Path) -> None:
    """Removes files and folders ``.NAME-HASH.RANDOM`` that nothing was written to for a day; what cannot be stays.

    Args:
        folder: Of a cache; need not exist.
    """
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if not _HALF_WRITTEN.fullmatch(entry.name):
                continue
            with contextlib.suppress(OSError):
                if time.time() - _last_written(Path(entry.path)) < _SECONDS:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)


def _last_written(path: Path) -> float:
    """Seconds since the epoch, of a folder and what lies in it."""
    inner = [*path.iterdir()] if path.is_dir() and not path.is_symlink() else []
    return max(one.lstat().st_mtime for one in (path, *inner))
