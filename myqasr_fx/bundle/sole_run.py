"""A folder that one run at a time writes to, line by line, where two would mix what they write."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from myqasr_fx.errors import OutputError


@contextlib.contextmanager
def sole_run(folder: Path) -> Iterator[None]:
    """Keeps other runs out of ``folder`` as long as the block lasts, or the process lives.

    File systems that know no locks keep nobody out.

    Raises:
        OutputError: Another run is in it, or it cannot be read.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise OutputError(f"out {folder}: {error.strerror}", hint="choose another --out") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno == errno.EWOULDBLOCK:
                hint = "wait until it ends, or choose another --out"
                raise OutputError(f"out {folder}: another run is writing there", hint=hint) from error
        yield
    finally:
        os.close(descriptor)
