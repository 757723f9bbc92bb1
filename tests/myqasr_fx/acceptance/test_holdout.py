from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.acceptance.holdout import MAX_JUDGED, MIN_CLIPS, hold_out
from myqasr_fx.audio import Clip, ClipSet


def clips(count: int) -> ClipSet:
    random = np.random.default_rng(0)
    return ClipSet(tuple(Clip(Path(f"{i}.wav"), random.random(400, np.float32)) for i in range(count)), (), "a note")


@pytest.mark.parametrize(("count", "share", "held"), [(32, 0.25, 8), (8, 0.25, 2), (9, 0.99, 8), (10, 0.12, 1)])
def test_a_share_of_the_clips_is_held_out(count: int, share: float, held: int) -> None:
    given = clips(count)
    split = hold_out(given, share, seed=0)
    assert split.held_out
    assert len(split.judged) == held
    assert {*split.judged, *split.calibration.clips} == set(given.clips)
    assert len(split.calibration.clips) == count - held
    assert split.calibration.note == given.note
    assert [c for c in given.clips if c in split.judged] == list(split.judged)  # in the recordings' order


@pytest.mark.parametrize(("count", "share"), [(MIN_CLIPS - 1, 0.25), (1, 0.9), (32, 0.0), (8, 0.1)])
def test_few_clips_are_judged_on_what_they_were_calibrated_on(count: int, share: float) -> None:
    given = clips(count)
    split = hold_out(given, share, seed=0)
    assert not split.held_out
    assert split.calibration is given
    assert len(split.judged) == min(count, MAX_JUDGED)
    assert set(split.judged) <= set(given.clips)


def test_the_seed_decides() -> None:
    given = clips(16)
    first, same, other = (hold_out(given, 0.25, seed).judged for seed in (0, 0, 1))
    assert first == same != other
