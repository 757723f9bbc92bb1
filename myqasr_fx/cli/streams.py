"""Standard output and error, whatever the caller made of them: closed, full, a pipe that ends, or ASCII alone."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from io import TextIOWrapper
from typing import TextIO

from myqasr_fx.errors import OutputError

_WIDEST = 4  # digits of COLUMNS


class _Remarks(TextIOWrapper):
    """Standard error on a disk that may be full: remarks are lost there, the work goes on."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            drop_output(self)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            drop_output(self)


def prepare_streams() -> None:
    """Makes every text printable, and keeps files that are opened later off the numbers of closed streams.

    A width of the terminal that is none is forgotten, and what standard error has no room for is lost.
    """
    columns = os.environ.get("COLUMNS", "")
    if columns and not (columns.isascii() and columns.isdecimal() and len(columns) <= _WIDEST and int(columns)):
        del os.environ["COLUMNS"]
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    own = sys.stderr
    if own is sys.__stderr__ and type(own) is TextIOWrapper:  # which the interpreter keeps, or it would be closed
        with contextlib.suppress(OSError):
            sys.stderr = _Remarks(
                own.buffer, own.encoding, "backslashreplace", line_buffering=True, write_through=own.write_through
            )


def check_output() -> None:
    """Refuses to print where nobody can read it.

    Raises:
        OutputError: Standard output is closed.
    """
    if sys.stdout is None:  # Python leaves it out when the number 1 was closed at its start
        raise OutputError("standard output is closed", hint="send it to a file or to /dev/null")


@contextlib.contextmanager
def printing(output: TextIO) -> Iterator[None]:
    """Context of whatever writes to standard output, which is ``output`` where a command has redirected it.

    Raises:
        BrokenPipeError: Whoever read it has enough.
        OutputError: There is no room, or another failure.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output(output)
        raise OutputError(f"standard output: {error.strerror}", hint="send it elsewhere") from error


def flush_output() -> None:
    """Brings what was printed to whoever reads it.

    Raises:
        BrokenPipeError: They left.
        OutputError: There is no room, or another failure.
    """
    if sys.stdout is not None:
        with printing(sys.stdout):
            sys.stdout.flush()


def drop_output(output: TextIO) -> None:
    """Sends what is left in ``output`` to nowhere: the interpreter's own flush at exit must not fail again."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
