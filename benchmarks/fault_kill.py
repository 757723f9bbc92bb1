"""Signals at any moment of the commands that write: no half-written target, and the next run sets things right."""

from __future__ import annotations

import signal
from pathlib import Path
from random import Random

from fault_case import Ended, Outcome, Trial, Tried, Verdict, last_line, wrong_lines
from fault_process import Place, run
from fault_victims import (
    CACHING,
    PERSONALIZING,
    QUANTIZING,
    REPORTING,
    Victim,
    at_change,
    healthy,
    killing,
    limit,
    link_old,
)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
_CODES = {signal.SIGINT: (130,), signal.SIGTERM: (143, -signal.SIGTERM), signal.SIGKILL: (-signal.SIGKILL,)}
DONE = (0, 3)
_BEGINS = 0.2
"""Seconds before which a child is ours and not yet the program."""


def kill_trial(victim: Victim, tries: int) -> Trial:
    """Half of the points are changes of the file system, spread over all of them; half are moments at random."""

    def attempt(base: Path, scratch: Path, random: Random, number: int) -> Tried:
        usual = healthy(victim, base)
        sign = SIGNALS[number % 3]
        victim.prepare(base, scratch)
        replacing = bool(victim.force) and number % 4 >= 2
        if replacing:
            link_old(victim, base, scratch)
        old = victim.state(scratch)
        command = (*victim.command, *(victim.force if replacing else ()))
        if number % 2:
            seconds = max(random.uniform(0, usual.ended.seconds), _BEGINS)
            place, moment = Place(scratch, stop=(sign, seconds)), f"after {seconds:.2f} s"
        else:
            at = 1 + number * usual.changes // tries
            place = Place(scratch, watch=at_change(killing(at, sign)))
            moment = f"before change {at} of {usual.changes} of the file system"
        ended = run(command, place)
        fault = f"{sign.name} {moment}{', replacing' if replacing else ''}"
        complaint = _complaint(victim, sign, ended, old, usual.state, scratch)
        if complaint is None and (sign == signal.SIGKILL or victim.keeps):  # else nothing is different for a next run
            complaint = _after(victim, base, scratch, usual.state)
        outcome = Outcome.UNFORESEEN if complaint else Outcome.WORKED if ended.code in DONE else Outcome.REFUSED
        return Tried(fault, command, Verdict(outcome, complaint or ""), ended)

    return Trial(f"killed: {victim.name}", tries, attempt)


def _complaint(victim: Victim, sign: int, ended: Ended, old: object, new: object, scratch: Path) -> str | None:
    """What is wrong right behind the signal."""
    if ended.code not in (*DONE, *_CODES[signal.Signals(sign)]):
        return f"exit code {ended.code}: {last_line(ended.err)[:300]}"
    if sign == signal.SIGINT and (wrong := wrong_lines(ended.err, ended.code == 130)):
        return wrong
    state = victim.state(scratch)
    if victim.target not in victim.keeps and state not in (old, new):
        return f"the target is neither the old nor the new one: {str(state)[:200]}"
    strays = _strays(victim, ended)
    return f"left behind: {', '.join(strays[:4])}" if strays and sign != signal.SIGKILL else None


def _after(victim: Victim, base: Path, scratch: Path, new: object) -> str | None:
    """What is wrong behind the next run."""
    again = (*victim.command, *victim.force)
    ended = run(again, Place(scratch, limit=limit(victim, base)))
    if ended.code not in DONE:
        return f"the next run ends with {ended.code}: {last_line(ended.err)[:300]}"
    if (state := victim.state(scratch)) != new:
        return f"the next run makes another target: {_difference(state, new)}"
    hidden = [path.name for path in scratch.rglob(".*myqasr-*") if not path.is_relative_to(scratch / "tmp")]
    return f"the next run leaves {', '.join(hidden[:3])}" if hidden else None


def _strays(victim: Victim, ended: Ended) -> list[str]:
    allowed = (victim.target, *victim.keeps)
    return [name for name in ended.made if not any(name == a or name.startswith(f"{a}/") for a in allowed)]


def _difference(state: object, new: object) -> str:
    if isinstance(state, dict) and isinstance(new, dict):
        return ", ".join(sorted(name for name in {*state, *new} if state.get(name) != new.get(name)))[:200]
    return str(state)[:200]


TRIALS = (
    kill_trial(QUANTIZING, 60),
    kill_trial(CACHING, 18),
    kill_trial(PERSONALIZING, 42),
    kill_trial(REPORTING, 84),
)
