"""What the system refuses while a command works: a place, room on the disk, memory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator

from myqasr_fx.bundle.output_file import DISK_FULL
from myqasr_fx.cli.visible import shortened
from myqasr_fx.errors import MyqasrError


@contextlib.contextmanager
def system_errors_explained() -> Iterator[None]:
    """Turns what is nobody's mistake in the code into one line.

    Raises:
        MyqasrError: Names the file, as far as the system does.
    """
    try:
        yield
    except BrokenPipeError:  # whoever read our output has enough
        raise
    except (OSError, MemoryError) as error:
        if (text := _explained(error)) is None:
            raise
        raise MyqasrError(text) from error


def _explained(error: OSError | MemoryError) -> str | None:
    if isinstance(error, MemoryError):
        return "not enough memory (close other programs, or give fewer recordings)"
    if error.strerror is None:
        return None
    named = None if error.filename is None else shortened(str(error.filename))
    if error.errno in DISK_FULL:
        where = named or f"the output, the cache or the temporary folder {_temporary()}"
        return f"no space left to write {where} (free some, or set TMPDIR to another folder)"
    return error.strerror if named is None else f"{named}: {error.strerror}"


def _temporary() -> str:
    try:
        return tempfile.gettempdir()
    except OSError:
        return ""
