"""What a command made of an input with a fault in it, and whether that was right.

Right is: exit code 0 or 3 with one JSON object and nothing else changed; or 2 with one line below 300 characters and
nothing left behind. Everything else is unforeseen, and what takes longer than ``LIMIT_SECONDS`` hangs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

LIMIT_SECONDS = 60.0
LIMIT_BYTES = 3 << 30
"""Of memory; an idle process of ours with all libraries has 0.6 GB."""

LONGEST_LINE = 300
NAME = "myqasr: "

_NOTES = re.compile(r"[\w ,.=:%()<>|-]+ …|not used: .*|in/[^\n]*: .*")
"""Lines that stand beside an answer or an error: stages, and what is said of a recording."""

_STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Outcome(StrEnum):
    """How it went."""

    REFUSED = "refused well"
    WORKED = "worked"
    UNFORESEEN = "unforeseen"
    HANG = "hang"


Check = Callable[[Path, Mapping[str, Any]], str | None]
"""Scratch folder and answer to what is wrong with the result; None where nothing is."""


@dataclass(frozen=True, slots=True)
class Case:
    """A command on an input.

    Args:
        fault: What is wrong with the input, in words.
        command: Arguments of ``myqasr``, with paths relative to the scratch folder.
        makes: Entries of the scratch folder that a command that works leaves there.
        keeps: Entries that may be there after one that does not, too.
        check: Looks at the result of a command that worked.
        accepts: Words of the line that refuses another input, which is only read when the one with the fault was fine.
    """

    fault: str
    command: tuple[str, ...]
    makes: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    check: Check | None = None
    accepts: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ended, or was ended.

    Args:
        code: Exit code; negative for the signal that ended it, None where it took too long.
        out: Standard output.
        err: Standard error.
        seconds: It took.
        cpu_seconds: Of the processor it took.
        peak_bytes: Of resident memory.
        made: Files and folders that were not there before, or changed, relative to the scratch folder.
    """

    code: int | None
    out: str
    err: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    made: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a case.

    Args:
        outcome: How it went.
        why: What is unforeseen about it, or the line with which it was refused.
    """

    outcome: Outcome
    why: str


def judge(case: Case, ended: Ended, scratch: Path) -> Verdict:
    """Whether a command did what it promises.

    Args:
        case: What was run.
        ended: How that ended.
        scratch: Where.
    """
    if ended.code is None:
        return Verdict(Outcome.HANG, f"after {ended.seconds:.0f} s: {last_line(ended.err)}")
    refused = ended.code == 2
    complaint = _complaint(case, ended) or (None if refused else _wrong_answer(case, ended, scratch))
    if complaint:
        return Verdict(Outcome.UNFORESEEN, complaint)
    if not refused or (case.accepts and case.accepts in last_line(ended.err)):
        return Verdict(Outcome.WORKED, "")
    return Verdict(Outcome.REFUSED, last_line(ended.err))


def last_line(text: str) -> str:
    """The last line that is not empty."""
    return next((line for line in reversed(text.split("\n")) if line.strip()), "")


def wrong_lines(err: str, refused: bool) -> str | None:
    """What is wrong with standard error; None where nothing is.

    Args:
        err: All of it.
        refused: It shall end with a line of ours.
    """
    lines = [line for line in err.split("\n") if line]
    ours = [line for line in lines if line.startswith(NAME)]
    strange = [line for line in lines if not line.startswith(NAME) and not _NOTES.fullmatch(line)]
    if strange:
        return f"a line that is not ours: {strange[0][:200]}"
    if len(ours) != (1 if refused else 0):
        return f"{len(ours)} lines of ours: {' / '.join(ours)[:200]}"
    if found := _STEERING.search(err):
        return f"{found[0]!r} reaches the terminal"
    too_long = next((line for line in ours if len(line) >= LONGEST_LINE), None)
    return too_long and f"a line of {len(too_long)} characters: {too_long}"


def _complaint(case: Case, ended: Ended) -> str | None:
    if ended.code not in (0, 2, 3):
        return f"exit code {ended.code}: {last_line(ended.err)[:400]}"
    refused = ended.code == 2
    if complaint := wrong_lines(ended.err, refused):
        return complaint
    if ended.peak_bytes > LIMIT_BYTES:
        return f"{ended.peak_bytes / 1e9:.1f} GB of memory"
    allowed = case.keeps if refused else (*case.makes, *case.keeps)
    strays = [name for name in ended.made if not any(name == a or name.startswith(f"{a}/") for a in allowed)]
    if strays:
        return f"left behind: {', '.join(strays[:4])}"
    return f"refused, and printed {ended.out[:80]!r}" if refused and ended.out else None


def _wrong_answer(case: Case, ended: Ended, scratch: Path) -> str | None:
    try:
        answer = strict_json(ended.out)
    except ValueError as error:
        return f"its answer is no JSON: {error}"
    if not isinstance(answer, dict):
        return f"its answer is no object: {ended.out[:80]!r}"
    if found := _STEERING.search(ended.out):
        return f"{found[0]!r} reaches the terminal"
    return case.check(scratch, answer) if case.check else None


def strict_json(text: str) -> Any:
    """The value that ``text`` stands for.

    Raises:
        ValueError: It is no JSON, or holds NaN or infinity.
    """
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise ValueError(f"holds {name}")


Make = Callable[[Path, Path, Random], Case]
"""Folder of healthy inputs, scratch folder and source of chance to a case whose input lies in the scratch folder."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Inputs of one sort.

    Args:
        name: For the table.
        inputs: How many a campaign tries.
        make: Makes one.
    """

    name: str
    inputs: int
    make: Make


@dataclass(frozen=True, slots=True)
class Tried:
    """One try of a campaign.

    Args:
        fault: What was wrong, in words.
        command: Arguments of ``myqasr``.
        verdict: What came of it.
        ended: How the command with the fault ended.
    """

    fault: str
    command: tuple[str, ...]
    verdict: Verdict
    ended: Ended


Attempt = Callable[[Path, Path, Random, int], Tried]
"""As :data:`Make`, with the number of the try; also runs the command and judges."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Moments or places of one sort, at which something is wrong with the machine and not with the input.

    Args:
        name: For the table.
        tries: How many a campaign makes.
        attempt: Makes one.
    """

    name: str
    tries: int
    attempt: Attempt
