"""Standard output and error, whatever the caller made of them: closed, full, a pipe that ends, or ASCII alone."""

from __future__ import annotations

import contextlib
import os
import sys
from io import TextIOWrapper

from myqasr_fx.errors import OutputError


def prepare_streams() -> None:
    """Makes every text printable, and keeps files that are opened later off the numbers of closed streams."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def check_output() -> None:
    """Refuses to print where nobody can read it.

    Raises:
        OutputError: Standard output is closed.
    """
    if sys.stdout is None:  # Python leaves it out when the number 1 was closed at its start
        raise OutputError("standard output is closed", hint="send it to a file or to /dev/null")


def flush_output() -> None:
    """Brings what was printed to whoever reads it.

    Raises:
        OSError: They left, there is no room, or another failure.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def drop_output() -> None:
    """Sends what is left to nowhere: the interpreter's own flush at exit must not fail again."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
