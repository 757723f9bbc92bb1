"""Splits utterances into the groups to personalize for, each with recordings to calibrate on and others to test on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from myqasr_fx.audio import load_audio
from myqasr_fx.errors import EvaluationError
from myqasr_fx.evaluate.manifest import Utterance, choose_utterances
from myqasr_fx.personalize.controls import RESERVED
from myqasr_fx.process.progress import Progress


@dataclass(frozen=True, slots=True)
class GroupSplit:
    """How to split.

    Args:
        by: Field whose values are the groups: ``speaker``, ``gender``, ``lang``, ``dataset`` or any other.
        clips: Most calibration clips of a run.
        seeds: Number of draws of calibration clips.
        calibrate: Fields of the utterances that may calibrate.
        test: Fields of the utterances that may test.
        test_clips: Most test utterances of a group, a seeded choice; None takes all.
        only: Names of the groups to take; all when empty.
    """

    by: str
    clips: int
    seeds: int = 1
    calibrate: Mapping[str, str] = field(default_factory=dict)
    test: Mapping[str, str] = field(default_factory=dict)
    test_clips: int | None = None
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value in (("clips", self.clips), ("seeds", self.seeds), ("test clips", self.test_clips or 1)):
            if value < 1:
                raise EvaluationError(f"{name} {value}: expected at least 1")


@dataclass(frozen=True, slots=True)
class Group:
    """A target.

    Args:
        name: Value of the field.
        pool: Utterances whose recordings may calibrate; their texts are never read.
        test: Utterances to score.
    """

    name: str
    pool: tuple[Utterance, ...]
    test: tuple[Utterance, ...]


def make_groups(source: Path, utterances: Sequence[Utterance], split: GroupSplit) -> tuple[Group, ...]:
    """Groups in the order of their names.

    An utterance that may calibrate and test is one or the other: a seeded draw of ``clips`` x ``seeds``, half of the
    group at most, calibrates and the rest tests. A group that has too few recordings is left out.

    Args:
        source: Where the utterances come from, for messages.
        utterances: All of them.
        split: How.

    Raises:
        EvaluationError: A field is unknown, a group has the name of a control, or fewer than two groups are left.
    """
    candidates = [_by_name(source, utterances, split.by, wanted) for wanted in (split.calibrate, split.test)]
    names = sorted(set(candidates[0]) & set(candidates[1]))
    if unknown := sorted(set(split.only) - set(names)):
        raise EvaluationError(f"{source}: no group {unknown[0]!r}", hint=f"known: {', '.join(names)}")
    made = [
        _group(name, candidates[0][name], candidates[1][name], split) for name in dict.fromkeys(split.only or names)
    ]
    if taken := [group.name for group in made if group.name in RESERVED]:
        raise EvaluationError(
            f"{source}: a group by {split.by!r} is {taken[0]!r}, which a row of the result is called",
            hint="call it otherwise, or name others with --groups",
        )
    groups = tuple(group for group in made if len(group.pool) >= split.clips and group.test)
    if len(groups) < 2:
        sizes = ", ".join(f"{group.name} {len(group.pool)} + {len(group.test)}" for group in made) or "no group"
        raise EvaluationError(
            f"{source}: {len(groups)} groups by {split.by!r} have {split.clips} recordings to calibrate on and one to "
            f"test on, expected at least 2 (calibration + test: {sizes})",
            hint="ask for fewer clips or other filters",
        )
    return groups


def _by_name(
    source: Path, utterances: Sequence[Utterance], by: str, wanted: Mapping[str, str]
) -> dict[str, list[Utterance]]:
    found: dict[str, list[Utterance]] = {}
    if not any(by in utterance.fields for utterance in utterances):
        known = ", ".join(sorted({key for utterance in utterances for key in utterance.fields}))
        raise EvaluationError(f"{source}: no line has {by!r}", hint=f"the keys are {known}")
    for utterance in choose_utterances(source, utterances, wanted):
        if utterance.fields.get(by) is not None:
            found.setdefault(str(utterance.fields[by]), []).append(utterance)
    return found


def _group(name: str, calibrate: Sequence[Utterance], test: Sequence[Utterance], split: GroupSplit) -> Group:
    shared = {u.audio for u in calibrate} & {u.audio for u in test}
    pool = list(calibrate)
    if shared:
        count = max(split.clips, min(split.clips * split.seeds, len(pool) // 2))
        pool = shuffled(pool, name, 0)[:count]
    taken = {utterance.audio for utterance in pool}
    rest = [utterance for utterance in test if utterance.audio not in taken]
    if split.test_clips is not None and len(rest) > split.test_clips:
        chosen = {utterance.audio for utterance in shuffled(rest, name, 1)[: split.test_clips]}
        rest = [utterance for utterance in rest if utterance.audio in chosen]
    return Group(name, tuple(pool), tuple(rest))


def shuffled(utterances: Sequence[Utterance], name: str, seed: int) -> list[Utterance]:
    """The utterances in an order that depends on the group's name and the seed alone."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
    order = np.random.default_rng([key, seed]).permutation(len(utterances))
    return [utterances[index] for index in order]


def check_apart(groups: Sequence[Group], progress: Progress) -> Mapping[Path, str]:
    """Refuses recordings that could calibrate and test, in whatever file and group they are.

    Args:
        groups: All groups.
        progress: Told about every recording.

    Returns:
        SHA-256 of the samples of each.

    Raises:
        EvaluationError: The same samples are on both sides.
        AudioError: A recording cannot be used.
    """
    calibrate = [utterance for group in groups for utterance in group.pool]
    test = [utterance for group in groups for utterance in group.test]
    seen, heard = dict[str, Path](), dict[Path, str]()
    with progress.stage("compare recordings", len(calibrate) + len(test)) as advance:
        for utterance in calibrate:
            heard[utterance.audio] = load_audio(utterance.audio).sha256
            seen[heard[utterance.audio]] = utterance.audio
            advance(1)
        for utterance in test:
            heard[utterance.audio] = load_audio(utterance.audio).sha256
            twin = seen.get(heard[utterance.audio])
            advance(1)
            if twin is not None:
                raise EvaluationError(
                    f"{utterance.audio}: a test recording has the samples of {twin}, which may calibrate",
                    hint="keep calibration and test apart with filters",
                )
    return heard
