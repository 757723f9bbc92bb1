"""Whether a folder can be made and written to, found out before work that takes minutes."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from myqasr_fx.bundle.signals import signals_as_exceptions, signals_held
from myqasr_fx.errors import OutputError


def check_writable(folder: Path, name: str) -> None:
    """Makes ``folder``, where there is none, and a file in it, and removes again what it made.

    Trying is the only way: what a file system allows does not show in the rights of a folder.

    Args:
        folder: To write to.
        name: Of the option that gives it, without dashes.

    Raises:
        OutputError: It cannot be made or written.
    """
    with refusals(folder, name), signals_as_exceptions(), signals_held(), _made(folder):
        descriptor, file = tempfile.mkstemp(dir=folder, prefix=".myqasr-")
        os.close(descriptor)
        os.unlink(file)


@contextlib.contextmanager
def refusals(folder: Path, name: str) -> Iterator[None]:
    """Turns what the file system refuses into one line; ``name`` is that of the option.

    Raises:
        OutputError: It refused something.
    """
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        place = next((p for p in (folder, *folder.parents) if os.path.lexists(p)), folder)
        where = "" if place == folder else f"{place} "
        raise OutputError(f"{name} {folder}: {where}is no folder", hint=f"choose another --{name}") from error
    except OSError as error:
        raise OutputError(f"{name} {folder}: {error.strerror}", hint=f"choose another --{name}") from error


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    missing = [p for p in (folder, *folder.parents) if not os.path.lexists(p)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for made in missing:
            with contextlib.suppress(OSError):
                made.rmdir()
