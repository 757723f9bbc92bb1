from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.audio import Clip, ClipSet
from myqasr_fx.measure.clip_shares import share_clips, spread
from myqasr_fx.process.limits import Limits

LIMITS = Limits()


def clips(count: int) -> ClipSet:
    random = np.random.default_rng(0)
    return ClipSet(tuple(Clip(Path(f"{i}.wav"), random.random(400, np.float32)) for i in range(count)), (), "a note")


@pytest.mark.parametrize(("count", "share", "held"), [(32, 0.25, 8), (8, 0.25, 2), (9, 0.99, 8), (10, 0.12, 1)])
def test_a_share_of_the_clips_is_held_out(count: int, share: float, held: int) -> None:
    given = clips(count)
    shares = share_clips(given, share, 0, LIMITS)
    assert shares.held_out
    assert len(shares.judge) == held
    assert {*shares.judge, *shares.observe.clips} == set(given.clips)
    assert len(shares.observe.clips) == count - held
    assert shares.observe.note == given.note
    assert [c for c in given.clips if c in shares.judge] == list(shares.judge)  # in the recordings' order


@pytest.mark.parametrize(("count", "share"), [(LIMITS.held_out_from - 1, 0.25), (1, 0.9), (32, 0.0), (8, 0.1)], ids=str)
def test_few_clips_are_judged_on_what_they_were_calibrated_on(count: int, share: float) -> None:
    given = clips(count)
    shares = share_clips(given, share, 0, LIMITS)
    assert not shares.held_out
    assert shares.observe is given
    assert len(shares.judge) == min(count, LIMITS.judged_clips)
    assert set(shares.judge) <= set(given.clips)


def test_the_seed_decides() -> None:
    given = clips(16)
    first, same, other = (share_clips(given, 0.25, seed, LIMITS).judge for seed in (0, 0, 1))
    assert first == same != other


@pytest.mark.parametrize("count", range(1, 40))
def test_clips_that_probe_are_kept_from_the_curvature(count: int) -> None:
    most = Limits(curvature_clips=100, probed_clips=100)
    shares = share_clips(clips(count), 0.0, 0, most)
    others, kept = shares.curvature, shares.probe
    assert others and kept
    if count > 1:
        assert sorted([*others, *kept]) == list(range(count))
    assert len(kept) == max(1, count // most.kept_every)


def test_shares_are_no_larger_than_their_limits_and_spread() -> None:
    limits = Limits(curvature_clips=5, probed_clips=3, correction_clips=2, first_clips=4, sequence_clips=7)
    shares = share_clips(clips(40), 0.0, 0, limits)
    sizes = [len(each) for each in (shares.curvature, shares.probe, shares.correct, shares.first, shares.sequence)]
    assert sizes == [5, 3, 2, 4, 7]
    assert not {*shares.probe, *shares.correct} & set(shares.curvature)
    assert set(shares.first) < set(shares.sequence) <= set(range(40))
    assert shares.sequence == (0, 5, 11, 17, 22, 28, 34)


def test_positions_count_the_clips_that_are_observed() -> None:
    shares = share_clips(clips(12), 0.5, 0, LIMITS)
    assert len(shares.observe.clips) == 6
    assert shares.sequence == shares.first == tuple(range(6))
    assert {*shares.curvature, *shares.probe} == set(range(6))


def test_spread_takes_all_of_few_things() -> None:
    assert spread(("a", "b"), 3) == ("a", "b")
    assert spread((), 3) == ()
    assert spread(tuple(range(10)), 1) == (0,)


def test_every_share_is_told_with_its_size() -> None:
    told = dict(share_clips(clips(32), 0.25, 0, LIMITS).told())
    assert told["observe"] == "24"
    assert told["judge"] == "8 held out"
    assert told["curvature"] == "16"
    assert told["probe"] == "6 kept from the curvature"
    assert told["sequence"] == "24, of which 16 set out first"
    assert dict(share_clips(clips(3), 0.25, 0, LIMITS).told())["judge"] == "3 of those observed"
    shares = {field.name for field in fields(type(share_clips(clips(3), 0.25, 0, LIMITS)))}
    assert shares - {"held_out", "first"} == set(told)


@pytest.mark.parametrize(("count", "held"), [(32, 8), (5, 0)])
def test_some_of_the_clips_are_shared_anew_and_those_held_out_stay(count: int, held: int) -> None:
    shares = share_clips(clips(count), 0.25, 0, LIMITS)
    fewer = ClipSet(shares.observe.clips[::2], (), "a note")
    found = shares.of(fewer, LIMITS)
    assert shares.of(shares.observe, LIMITS) is shares
    assert found.observe is fewer
    assert found.judge == (shares.judge if held else fewer.clips)
    assert (found.held_out, len(shares.judge)) == (bool(held), held or count)
    assert {position for share in (found.curvature, found.probe, found.first) for position in share} <= set(
        range(len(fewer.clips))
    )
