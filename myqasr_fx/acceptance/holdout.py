"""Keeps some of the user's clips out of the calibration, to judge the result on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myqasr_fx.audio import Clip, ClipSet

MIN_CLIPS = 8
"""Fewest clips of which some are held out: with fewer, the calibration needs them all."""

MAX_JUDGED = 8
"""Most clips to judge on when none is held out: they are spread over those of the calibration."""

_STREAM = 1  # the seed's other uses draw from other streams


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Clips by what they are for.

    Args:
        calibration: At least one.
        judged: At least one; clips of the calibration when ``held_out`` is False.
        held_out: True when no clip is in both.
    """

    calibration: ClipSet
    judged: tuple[Clip, ...]
    held_out: bool


def hold_out(clips: ClipSet, share: float, seed: int) -> Split:
    """Splits clips at random; below ``MIN_CLIPS``, or with a share that gives no clip, none is held out.

    Args:
        clips: All of them.
        share: Of the clips to hold out, rounded down, 0 to 1; one clip is always left to calibrate on.
        seed: Decides which.
    """
    total = len(clips.clips)
    count = min(int(share * total), total - 1) if total >= MIN_CLIPS else 0
    if not count:
        judged = min(total, MAX_JUDGED)
        spread = tuple(clips.clips[index * total // judged] for index in range(judged))
        return Split(clips, spread, held_out=False)
    chosen = set(np.random.default_rng([seed, _STREAM]).permutation(total)[:count].tolist())
    kept = tuple(clip for index, clip in enumerate(clips.clips) if index not in chosen)
    judged_on = tuple(clip for index, clip in enumerate(clips.clips) if index in chosen)
    return Split(ClipSet(kept, clips.rejected, clips.note), judged_on, held_out=True)
