"""Keeps what compiled code prints away from standard output, where a caller may be writing JSON."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

_STDOUT = 1


@contextlib.contextmanager
def no_native_output() -> Iterator[None]:
    """Sends the process's standard output to nowhere; Python's own prints in between are lost as well.

    HiGHS prints a line of its debugging whatever its log level is.
    """
    sys.stdout.flush()
    libc = ctypes.CDLL(None)
    libc.fflush(None)
    kept, nowhere = os.dup(_STDOUT), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDOUT)
    try:
        yield
    finally:
        libc.fflush(None)  # compiled code keeps lines in a buffer of its own
        os.dup2(kept, _STDOUT)
        os.close(kept)
        os.close(nowhere)
