"""Folders that appear whole or not at all.

``output_folder(target)`` gives a hidden work folder beside ``target`` and renames it when the block succeeds, so that
at every moment ``target`` is absent, the complete old folder or the complete new one, whatever kills the process.

The work folder ``.NAME.myqasr-PID-XXXX`` holds ``new``, what the block writes, and during a replacement ``old``, the
folder that is being replaced. Its owner holds a lock on it that ends with the process, so a later run can tell the
leftovers of dead processes from the work of living ones even where process ids repeat, as they do in containers.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from myqasr_fx.bundle.contents import BUNDLE, Contents
from myqasr_fx.bundle.hidden_name import hidden_prefix
from myqasr_fx.bundle.output_file import DISK_FULL
from myqasr_fx.bundle.signals import signals_as_exceptions, signals_held
from myqasr_fx.errors import BundleError, OutputError

_NEW, _OLD = "new", "old"

_NAMED = 3
"""Foreign files that a refusal names."""


@contextlib.contextmanager
def output_folder(target: Path, *, force: bool = False, contents: Contents = BUNDLE) -> Iterator[Path]:
    """Context whose value is an empty folder that becomes ``target`` when the block ends without an exception.

    Args:
        target: Where the folder shall appear; missing parents are made, and removed again on failure.
        force: Replace an existing bundle or empty folder; without it an existing target is refused, and a folder that
            holds anything else is refused always.
        contents: What a folder that may be replaced consists of.

    Yields:
        The folder to write into, on the same file system as ``target``.

    Raises:
        OutputError: The target exists, may not be replaced or written, or the disk is full.
    """
    target = Path(os.path.realpath(target))
    check_target(target, force, contents)
    with contextlib.ExitStack() as stack:
        check_signals = stack.enter_context(signals_as_exceptions())
        with _clear_errors(target):
            stack.enter_context(_parents(target.parent))
            remove_leftovers(target)
            root = stack.enter_context(_work_folder(target))
        with _clear_errors(target, *DISK_FULL):
            yield root / _NEW
        check_signals()
        with _clear_errors(target):
            _flush(root / _NEW)
            check_target(target, force, contents)  # somebody else may have written it meanwhile
            _swap(root, target)


def remove_leftovers(target: Path) -> tuple[Path, ...]:
    """Removes the work folders that dead processes left beside ``target``; gives back a replaced folder.

    Returns:
        The removed folders.
    """
    removed = []
    for root in sorted(target.parent.glob(f"{_escape(hidden_prefix(target.name))}*")):
        lock = _lock(root)
        if lock is None:
            continue
        try:
            _discard(root, target)
            removed.append(root)
        finally:
            os.close(lock)
    return tuple(removed)


def check_target(target: Path, force: bool, contents: Contents = BUNDLE) -> None:
    """Refuses what :func:`output_folder` would refuse, before any work.

    Raises:
        OutputError: The target exists and may not be replaced.
    """
    try:
        if not os.path.lexists(target):
            place = next(p for p in target.parents if os.path.lexists(p))
            if not place.is_dir():
                raise OutputError(f"cannot write output {target}: {place} is no folder", hint="choose another --out")
            return
        if not force:
            raise OutputError(f"output {target} exists", hint="choose another --out, or replace it with --force")
        if not target.is_dir():
            raise OutputError(f"output {target} is not a folder", hint="choose another --out")
        if any(target.iterdir()):
            _check_ours(target, contents)
    except OSError as error:
        raise _refused(target, error) from error


def _check_ours(target: Path, contents: Contents) -> None:
    empty = "choose another --out, or empty the folder yourself"
    if not (target / contents.marker).is_file():
        raise OutputError(
            f"output {target} holds no {contents.marker}, so it is not ours and is not replaced", hint=empty
        )
    try:
        foreign = contents.foreign(target)
    except BundleError as error:
        raise OutputError(f"output {target} is not replaced: {error.message}", hint=empty) from error
    if foreign:
        more = f" and {len(foreign) - _NAMED} more" if len(foreign) > _NAMED else ""
        raise OutputError(
            f"output {target} is not replaced: {', '.join(foreign[:_NAMED])}{more} in it are not of a bundle",
            hint="choose another --out, or move them away",
        )


@contextlib.contextmanager
def _parents(folder: Path) -> Iterator[None]:
    """Makes ``folder``; on failure removes the parents that this call made."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    try:
        with signals_held():
            folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with signals_held():
            for made in missing:
                with contextlib.suppress(OSError):
                    made.rmdir()
        raise


@contextlib.contextmanager
def _work_folder(target: Path) -> Iterator[Path]:
    prefix = f"{hidden_prefix(target.name)}{os.getpid()}-"
    made, lock = list[Path](), None
    try:
        with signals_held():
            while lock is None:  # a cleaner may have taken the new folder for a leftover before it was locked
                made.append(Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent)))
                lock = _lock(made[-1])
            (made[-1] / _NEW).mkdir()
        yield made[-1]
    finally:
        with signals_held():
            for root in made:
                _discard(root, target)
            if lock is not None:
                os.close(lock)


def _lock(root: Path) -> int | None:
    """Descriptor that holds the lock on ``root``, or None when it is gone or its owner lives."""
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(root)):
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def _swap(root: Path, target: Path) -> None:
    if target.exists():
        os.rename(target, root / _OLD)
    os.rename(root / _NEW, target)
    _sync(target.parent)


def _discard(root: Path, target: Path) -> None:
    """Removes ``root``; a replacement that stopped halfway is undone first."""
    if (root / _OLD).exists() and not os.path.lexists(target):
        os.rename(root / _OLD, target)
    shutil.rmtree(root, ignore_errors=True)


def _flush(folder: Path) -> None:
    """Brings every file to the disk, where a full disk shows at the latest."""
    for base, _, files in os.walk(folder):
        for name in files:
            _sync(Path(base, name))
        _sync(Path(base))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _clear_errors(target: Path, *only: int) -> Iterator[None]:
    """Turns what the file system refuses into an OutputError: everything, or ``only`` these error numbers."""
    try:
        yield
    except OSError as error:
        if only and error.errno not in only:
            raise
        raise _refused(target, error) from error


def _refused(target: Path, error: OSError) -> OutputError:
    what = "no space left to write" if error.errno in DISK_FULL else "cannot write"
    return OutputError(f"{what} output {target}: {error.strerror}", hint="choose another --out")


def _escape(name: str) -> str:
    """``name`` for ``Path.glob``."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
