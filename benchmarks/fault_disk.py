"""A full disk at every write of the commands that write: one line, no half-written target, nothing left behind.

A disk is full in two ways. From its change number N on, the file system refuses every new file and every change but
removals (an audit hook raises ENOSPC, N running over all changes of a healthy run). And a tmpfs of a few pages, of
every size between none and what a healthy run needs, takes part of a file only; where mounting is not permitted,
RLIMIT_FSIZE ends every file at that size instead.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

from fault_case import Ended, Outcome, Trial, Tried, Verdict, last_line, wrong_lines
from fault_process import Place, run
from fault_victims import CACHING, PERSONALIZING, QUANTIZING, REPORTING, Victim, at_change, healthy, refusing

DISK = "disk"
PAGE = 4096
MOST = 600_000
"""Bytes: more than any of the commands writes here."""


def small_disk(victim: Victim, tries: int, what: str) -> Trial:
    """The target, or the temporary folder, on a disk that grows from try to try."""

    def attempt(base: Path, scratch: Path, random: Random, number: int) -> Tried:
        healthy(victim, base)
        size = PAGE + number * MOST // tries // PAGE * PAGE
        victim.prepare(base, scratch)
        (scratch / DISK).mkdir()
        with mounted(scratch / DISK, size) as is_mounted:
            moved = victim
            if what == "target":
                target = f"{DISK}/{victim.target}"
                command = tuple(target if word == victim.target else word for word in victim.command)
                moved = replace(
                    victim, command=command, target=target, keeps=tuple(f"{DISK}/{k}" for k in victim.keeps)
                )
            variables = {"TMPDIR": str(scratch / DISK)} if what == "temporary folder" else {}
            place = Place(scratch, environment=variables, largest_file=None if is_mounted else size)
            ended = run(moved.command, place)
            complaint = _complaint(moved, ended, base, scratch, ended.code in (0, 3))
        how = "tmpfs" if is_mounted else "RLIMIT_FSIZE"
        return _tried(f"{what} on a disk of {size} bytes ({how})", moved.command, complaint, ended)

    return Trial(f"full disk: {victim.name}, {what}", tries, attempt)


def no_change(victim: Victim, tries: int) -> Trial:
    """The file system takes nothing from some change on."""

    def attempt(base: Path, scratch: Path, random: Random, number: int) -> Tried:
        usual = healthy(victim, base)
        victim.prepare(base, scratch)
        at = number * usual.changes // tries
        watch = at_change(refusing(at, str(scratch)))
        ended = run(victim.command, Place(scratch, watch=watch))
        complaint = _complaint(victim, ended, base, scratch, ended.code in (0, 3))
        return _tried(f"no room from change {at} of {usual.changes} on", victim.command, complaint, ended)

    return Trial(f"full disk: {victim.name}, every change", tries, attempt)


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[bool]:
    """A disk of ``size`` bytes at ``folder``; False where the system permits none."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True)
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True, capture_output=True)


def unmount(scratch: Path) -> None:
    """Takes away the disk that a campaign which was stopped left in its scratch folder."""
    if (scratch / DISK).is_mount():
        subprocess.run(["umount", str(scratch / DISK)], check=True, capture_output=True)


def _complaint(victim: Victim, ended: Ended, base: Path, scratch: Path, done: bool) -> str | None:
    if ended.code not in (0, 2, 3):
        return f"exit code {ended.code}: {last_line(ended.err)[:300]}"
    if wrong := wrong_lines(ended.err, not done):
        return wrong
    if not done and not any(word in ended.err for word in ("No space left", "no space left", "File too large")):
        return f"does not speak of the disk: {last_line(ended.err)}"
    state = victim.state(scratch)
    if done and state != healthy(original(victim), base).state:
        return "ends well, with another target"
    if not done and state is not None and victim.target not in victim.keeps:
        return f"leaves a target: {str(state)[:200]}"
    allowed = (*victim.keeps, *((victim.target,) if done else ()))
    strays = [name for name in ended.made if not any(name == a or name.startswith(f"{a}/") for a in allowed)]
    return f"left behind: {', '.join(strays[:4])}" if strays else None


def original(victim: Victim) -> Victim:
    """The victim whose command writes to the usual place."""
    return next(each for each in (QUANTIZING, CACHING, PERSONALIZING, REPORTING) if each.name == victim.name)


def _tried(fault: str, command: tuple[str, ...], complaint: str | None, ended: Ended) -> Tried:
    outcome = Outcome.HANG if ended.code is None else Outcome.UNFORESEEN if complaint else Outcome.REFUSED
    if not complaint and ended.code in (0, 3):
        outcome = Outcome.WORKED
    return Tried(fault, command, Verdict(outcome, complaint or last_line(ended.err)), ended)


TRIALS = (
    small_disk(QUANTIZING, 12, "target"),
    small_disk(QUANTIZING, 8, "temporary folder"),
    small_disk(PERSONALIZING, 8, "target"),
    small_disk(REPORTING, 14, "target"),
    no_change(CACHING, 30),
    no_change(PERSONALIZING, 16),
    no_change(REPORTING, 6),
)
