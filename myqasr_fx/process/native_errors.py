"""Keeps what compiled code says away from standard error, where our own lines are."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

_STDERR = 2


@contextlib.contextmanager
def no_native_errors() -> Iterator[None]:
    """Sends the process's standard error to nowhere; what Python writes there in between is lost as well.

    libmpg123 reports on every frame and tag that it does not like, whatever becomes of the file, and a panic of the
    tokenizers' Rust code prints its stack beside the error that it raises.
    """
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):  # closed, or its reader is gone
            sys.stderr.flush()
    try:
        kept = os.dup(_STDERR)
    except OSError:  # closed: there is nothing to keep clean
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDERR)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(nowhere)
