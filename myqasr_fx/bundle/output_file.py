"""A file that appears whole or not at all, and replaces another only when asked to."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from myqasr_fx.bundle.hidden_name import hidden_prefix
from myqasr_fx.bundle.signals import signals_as_exceptions, signals_held
from myqasr_fx.errors import OutputError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a system says where there is no room: on the disk, in a quota, or for a file of that size."""


def write_file(path: Path, content: str | bytes, *, force: bool) -> None:
    """Writes ``content`` beside ``path`` and renames it; a link at ``path`` is replaced, not followed.

    Args:
        path: The file.
        content: Of the file; text becomes UTF-8.
        force: Replace a file; without it an existing one is refused, and what is no file is refused always.

    Raises:
        OutputError: It exists, cannot be written, or the disk is full.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    check_file(path, force)
    try:
        with signals_as_exceptions() as check_signals, _unfinished(path) as (descriptor, made):
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(data)
            os.fsync(descriptor)
            check_signals()
            check_file(path, force)  # somebody else may have written it meanwhile
            os.replace(made, path)
    except OSError as error:
        what = "no space left to write" if error.errno in DISK_FULL else "cannot write"
        raise OutputError(f"{what} {path}: {error.strerror}", hint="choose another --out") from error


def check_file(path: Path, force: bool) -> None:
    """Refuses what :func:`write_file` would refuse, before any work.

    Raises:
        OutputError: It exists and may not be replaced.
    """
    if not os.path.lexists(path):
        return
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is no file", hint="choose another --out")
    if not force:
        raise OutputError(f"{path} exists", hint="choose another --out, or replace it with --force")


@contextlib.contextmanager
def _unfinished(path: Path) -> Iterator[tuple[int, Path]]:
    """A new file beside ``path``, locked as long as this process lives, and removed unless it was renamed."""
    prefix = hidden_prefix(path.name)
    for left in path.parent.iterdir():
        if left.name.startswith(prefix):
            _remove_dead(left)
    made = path.with_name(f"{prefix}{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = None
    try:
        with signals_held():
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor, made
    finally:
        with signals_held():
            if descriptor is not None:
                os.close(descriptor)
                made.unlink(missing_ok=True)


def _remove_dead(left: Path) -> None:
    """Removes the unfinished file of a process that ended."""
    if not left.is_file():
        return
    with contextlib.suppress(OSError), left.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        left.unlink()
