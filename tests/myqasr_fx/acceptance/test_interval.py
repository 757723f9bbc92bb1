from collections.abc import Sequence

import numpy as np
import pytest

from myqasr_fx.acceptance.interval import Counted, Law
from myqasr_fx.evaluate import rate_interval


def counted(counts: Sequence[float], totals: Sequence[int] | int, law: Law) -> Counted:
    return Counted(counts, [totals] * len(counts) if isinstance(totals, int) else totals, law)


@pytest.mark.parametrize(
    ("counts", "law"),
    [([38, 39, 37, 40, 38, 39, 36, 40], Law.SHARE), ([1, 0, 2, 0, 1, 1, 0, 0], Law.COUNT), ([0.5] * 8, Law.NATS)],
)
def test_the_rate_is_inside_and_more_clips_narrow_it(counts: list[float], law: Law) -> None:
    found = counted(counts, 40, law)
    one, four, many = (found.interval(times) for times in (1.0, 4.0, 400.0))
    assert one.low < four.low < found.rate < four.high < one.high
    # with the root of the number, once that of the degrees of freedom tells no more
    assert (four.high - four.low) / (many.high - many.low) == pytest.approx(10, rel=0.15)


def test_clips_that_all_agree_leave_room_for_an_error() -> None:
    low, high = (found := counted([40] * 8, 40, Law.SHARE).interval()).low, found.high
    assert high == 1.0
    assert 0.97 < low < 1 - 3 / 320  # the rule of three allows 3 of 320; tokens that go together, more
    assert rate_interval([40] * 8, [40] * 8).low == 1.0  # which resampling does not see
    assert counted([40], 40, Law.SHARE).interval().low < 0.85


def test_words_that_nobody_left_out_may_be_left_out_yet() -> None:
    found = counted([0] * 8, 40, Law.COUNT).interval()
    assert found.low == 0.0
    assert 3.7 / 320 < found.high < 0.04
    assert counted([0], [0], Law.COUNT).interval().high > 1  # nothing was heard: nothing is known


@pytest.mark.parametrize("law", list(Law))
def test_one_clip_tells_little(law: Law) -> None:
    counts = {Law.SHARE: 18.0, Law.COUNT: 1.0, Law.NATS: 1.0}[law]
    one, eight = (counted([counts] * clips, 20, law).interval() for clips in (1, 8))
    assert one.high - one.low > 2 * (eight.high - eight.low)


def test_clips_that_differ_widen_it() -> None:
    even = counted([36] * 8, 40, Law.SHARE).interval()
    uneven = counted([40, 40, 40, 40, 40, 40, 40, 8], 40, Law.SHARE).interval()
    assert uneven.low < even.low - 0.05


def test_nothing_and_everything_have_ends() -> None:
    assert counted([0] * 4, 40, Law.SHARE).interval().low == 0.0
    found = counted([0.0] * 4, 40, Law.NATS).interval()
    assert (found.low, found.high) == (0.0, 0.0)


def covered(law: Law, draw: object, truth: float, clips: int) -> float:
    random, hits = np.random.default_rng(0), 0
    for _ in range(200):
        found = counted(draw(random, clips), 40, law).interval()  # type: ignore[operator]
        hits += found.low <= truth <= found.high
    return hits / 200


@pytest.mark.parametrize("clips", [2, 8])
def test_it_holds_the_truth_about_as_often_as_it_says(clips: int) -> None:
    def shares(random: np.random.Generator, count: int) -> list[float]:
        return [float(random.binomial(40, p)) for p in random.beta(38, 2, count)]  # dispersion 1.95

    def nats(random: np.random.Generator, count: int) -> list[float]:
        return [float(x) for x in random.gamma(40 / 12, 12 * 0.02, count)]  # dispersion 12

    assert 0.92 <= covered(Law.SHARE, shares, 0.95, clips) <= 1.0
    assert 0.92 <= covered(Law.NATS, nats, 0.02, clips) <= 1.0
