"""Recordings of a command, one of which may come through a pipe."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from myqasr_fx.bundle.temporary_folder import temporary_folder
from myqasr_fx.errors import AudioError

STANDARD_INPUT = Path("-")
"""What stands for it among files."""


@contextmanager
def on_disk(files: Sequence[Path]) -> Iterator[dict[Path, str]]:
    """Every file to its name; standard input lies in a temporary one, since decoders seek.

    Raises:
        AudioError: Standard input is closed or a terminal.
    """
    if STANDARD_INPUT not in files:
        yield {file: str(file) for file in files}
        return
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        raise AudioError("standard input: is no recording", hint="send WAV or FLAC into it, or name a file")
    with temporary_folder() as folder:
        path = folder / "recording"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield {path: "standard input"}
