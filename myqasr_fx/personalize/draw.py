"""Whom a run calibrates on: a group, everybody but a group, or noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from myqasr_fx.audio import AudioInput, ClipSet, select_clips
from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.errors import EvaluationError
from myqasr_fx.evaluate.manifest import Utterance
from myqasr_fx.personalize.controls import NOISE, OTHERS
from myqasr_fx.personalize.groups import Group, shuffled

NOISE_SECONDS = 4.0
NOISE_LEVEL = 0.05
"""Standard deviation of the samples."""


def draw(groups: Sequence[Group], source: str, target: str | None, clips: int, seed: int) -> ClipSet:
    """Calibration clips, of which a longer draw with the same seed begins with a shorter one.

    Args:
        groups: All groups.
        source: Name of a group, ``OTHERS`` or ``NOISE``.
        target: Group that ``OTHERS`` leaves out.
        clips: How many.
        seed: Of the choice.

    Raises:
        EvaluationError: There are not so many.
        AudioError: No recording can be used.
    """
    audio: list[AudioInput]
    if source == NOISE:
        random, size = np.random.default_rng(seed), round(NOISE_SECONDS * SAMPLING_RATE)
        audio = [random.normal(0, NOISE_LEVEL, size).astype(np.float32) for _ in range(clips)]
    else:
        chosen = _in_turn(groups, target, seed) if source == OTHERS else _own(groups, source, seed)
        audio = [utterance.audio for utterance, _ in zip(chosen, range(clips), strict=False)]
    found = select_clips(audio, clips, seed=seed)
    if len(found.clips) != clips:
        raise EvaluationError(f"{source}: {len(found.clips)} usable clips, expected {clips} in every cell")
    return found


def _own(groups: Sequence[Group], name: str, seed: int) -> list[Utterance]:
    (group,) = (group for group in groups if group.name == name)
    return shuffled(group.pool, name, seed)


def _in_turn(groups: Sequence[Group], target: str | None, seed: int) -> Iterator[Utterance]:
    others = [shuffled(group.pool, group.name, seed) for group in groups if group.name != target]
    order = np.random.default_rng(seed).permutation(len(others))
    for turn in range(max(map(len, others))):
        for index in order:
            if turn < len(others[index]):
                yield others[index][turn]
