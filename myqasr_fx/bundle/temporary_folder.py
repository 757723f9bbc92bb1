"""A folder for what is needed for a moment, which no signal leaves behind."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from myqasr_fx.bundle.signals import signals_held


@contextlib.contextmanager
def temporary_folder(prefix: str = "myqasr-") -> Iterator[Path]:
    """A new folder below ``TMPDIR`` that is removed with all that lies in it.

    Raises:
        OSError: It cannot be made.
    """
    folder = None
    try:
        with signals_held():
            folder = Path(tempfile.mkdtemp(prefix=prefix))
        yield folder
    finally:
        with signals_held():
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
