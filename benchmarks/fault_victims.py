"""The commands that write: what they are given, where they write, and what a whole result is."""

from __future__ import annotations

import errno
import functools
import mmap
import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fault_base import CLIPS, PERSONALIZE, QUANTIZE
from fault_case import LIMIT_SECONDS, Ended
from fault_check import digest, page_complaint
from fault_folder import link_tree
from fault_process import Place, Watch, run

_CHANGES = frozenset({"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.link", "os.symlink"})
_REMOVALS = frozenset({"os.remove", "os.rmdir"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


Act = Callable[[str, str], None]
"""Called with an audit event and its path."""


@dataclass(frozen=True, slots=True)
class Victim:
    """A command that writes.

    Args:
        name: Of the command.
        command: Its arguments.
        needs: Entries of the base that it reads.
        target: What it writes, relative to the scratch folder.
        keeps: What it may leave, whatever becomes of it.
        force: An option without which it does not replace an old target.
    """

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...]
    target: str
    keeps: tuple[str, ...] = ()
    force: tuple[str, ...] = ()

    def prepare(self, base: Path, scratch: Path) -> None:
        """Links what the command reads."""
        for name in self.needs:
            if (base / name).is_dir():
                link_tree(base / name, scratch / name)
            else:
                (scratch / name).hardlink_to(base / name)

    def state(self, scratch: Path) -> object:
        """What its target is like; None without one."""
        target = scratch / self.target
        if not os.path.lexists(target):
            return None
        if target.is_file():
            return page_complaint(target) or "whole"
        marks = {name: mark for name, mark in digest(target).items() if not name.startswith("cache/")}
        if (schemes := target / "schemes.csv").is_file():  # a model that was stopped has its lines twice
            marks["schemes.csv"] = " ".join(sorted(set(schemes.read_text(encoding="utf-8").split("\n"))))
        return marks


_AUDIO = tuple(f"audio/{name}" for name in CLIPS)

QUANTIZING = Victim(
    "quantize",
    ("quantize", "ctc", *_AUDIO, *QUANTIZE, "--out", "out", "--json"),
    ("ctc", "audio"),
    "out",
    force=("--force",),
)
CACHING = Victim(
    "quantize --cache",
    (*QUANTIZING.command, "--cache", "cache"),
    ("ctc", "audio"),
    "out",
    keeps=("cache",),
    force=("--force",),
)
PERSONALIZING = Victim(
    "personalize",
    ("personalize", "ctc", "--data", "manifest.jsonl", *PERSONALIZE, "--out", "out", "--json"),
    ("ctc", "audio", "manifest.jsonl"),
    "out",
    keeps=("out",),
)
REPORTING = Victim(
    "report",
    ("report", "bundle-ctc", "bundle-whisper", "--out", "page.html", "--json"),
    ("bundle-ctc", "bundle-whisper"),
    "page.html",
    force=("--force",),
)


@dataclass(frozen=True, slots=True)
class Healthy:
    """A run without a fault.

    Args:
        ended: How it ended.
        state: Of the target behind it.
        changes: Times it changed the file system.
    """

    ended: Ended
    state: object
    changes: int


@functools.cache
def healthy(victim: Victim, base: Path) -> Healthy:
    """Runs a command as it should, once.

    Raises:
        SystemExit: It fails.
    """
    scratch = usual_folder(victim, base)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    victim.prepare(base, scratch)
    counter = mmap.mmap(-1, 8)
    ended = run(victim.command, Place(scratch, watch=at_change(counted(counter))))
    if ended.code not in (0, 3):
        raise SystemExit(f"{victim.name}: exit code {ended.code}: {ended.err[-500:]}")
    return Healthy(ended, victim.state(scratch), struct.unpack("<q", counter[:8])[0])


def usual_folder(victim: Victim, base: Path) -> Path:
    """The scratch folder of the healthy run."""
    return base / f"healthy-{victim.name.replace(' ', '')}"


def link_old(victim: Victim, base: Path, scratch: Path) -> None:
    """Puts the target of the healthy run where the command writes."""
    old, new = usual_folder(victim, base) / victim.target, scratch / victim.target
    if old.is_dir():
        link_tree(old, new)
    else:
        new.hardlink_to(old)


def at_change(act: Act) -> Watch:
    """An audit hook that calls ``act`` right before each change of the file system."""

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            flags = arguments[2]
            if not isinstance(flags, int) or not flags & _WRITING:
                return
        elif event not in _CHANGES:
            return
        path = arguments[0]
        if path != os.devnull and isinstance(path, str | bytes | os.PathLike):
            act(event, os.fsdecode(path))

    return watch


def counted(counter: mmap.mmap) -> Act:
    """Counts in memory that parent and child share."""

    def act(event: str, path: str) -> None:
        counter[:8] = struct.pack("<q", struct.unpack("<q", counter[:8])[0] + 1)

    return act


def killing(at: int, number: int) -> Act:
    """Sends a signal to the process before its change number ``at``."""
    left = [at]

    def act(event: str, path: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), number)

    return act


def refusing(at: int, inside: str) -> Act:
    """From change number ``at`` on, the file system takes nothing new below ``inside``; what is there can go."""
    left = [at]

    def act(event: str, path: str) -> None:
        left[0] -= 1
        if left[0] < 0 and event not in _REMOVALS and os.path.abspath(path).startswith(inside):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    return act


def limit(victim: Victim, base: Path) -> float:
    """Seconds after which a run hangs: far more than a healthy one takes."""
    return max(LIMIT_SECONDS, 4 * healthy(victim, base).ended.seconds)
