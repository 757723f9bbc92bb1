from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from myqasr_fx.evaluate import Interval, difference_interval, rate_interval
from myqasr_fx.evaluate.bootstrap import grouped_difference_interval


def test_interval_of_independent_errors_matches_the_normal_one():
    generator = np.random.default_rng(1)
    totals = np.full(400, 20)
    errors = generator.binomial(20, 0.1, size=400)
    rate = errors.sum() / totals.sum()
    deviation = errors.std() / 20 / np.sqrt(400)
    interval = rate_interval(errors.tolist(), totals.tolist())
    assert interval.low == pytest.approx(rate - 1.96 * deviation, abs=4e-4)
    assert interval.high == pytest.approx(rate + 1.96 * deviation, abs=4e-4)


def test_same_seed_same_interval():
    assert rate_interval([1, 0, 5], [9, 8, 7], seed=3) == rate_interval([1, 0, 5], [9, 8, 7], seed=3)
    assert rate_interval(list(range(50)), list(range(50, 100)), 3) != rate_interval(
        list(range(50)), list(range(50, 100)), 4
    )


def test_one_utterance_has_no_spread():
    assert rate_interval([1], [4]) == Interval(0.25, 0.25)


def test_paired_difference_cancels_what_both_share():
    generator = np.random.default_rng(2)
    totals = np.full(100, 10)
    errors = generator.binomial(10, 0.3, size=100)
    assert difference_interval(errors.tolist(), errors.tolist(), totals.tolist()) == Interval(0, 0)
    worse = (errors + 1).tolist()
    assert difference_interval(worse, errors.tolist(), totals.tolist()) == Interval(
        pytest.approx(0.1), pytest.approx(0.1)
    )


def test_utterances_without_words_do_not_divide_by_zero():
    assert rate_interval([0, 0], [0, 0]) == Interval(0, 0)


def test_groups_that_differ_widen_an_interval() -> None:
    """Forty utterances of four speakers who differ among each other say less than forty of one population."""
    changes = [[float(speaker)] * 10 for speaker in (-3, -1, 1, 3)]
    totals = [[10] * 10] * 4
    grouped = grouped_difference_interval(changes, totals)
    flat = rate_interval([change for group in changes for change in group], [10] * 40)
    assert grouped.low < flat.low < 0 < flat.high < grouped.high
    assert grouped == grouped_difference_interval(changes, totals)


def test_one_group_is_resampled_as_utterances_are() -> None:
    change = np.random.default_rng(0).integers(-2, 3, 50).tolist()
    grouped, flat = grouped_difference_interval([change], [[10] * 50]), rate_interval(change, [10] * 50)
    assert (grouped.low, grouped.high) == pytest.approx((flat.low, flat.high), abs=0.01)


def test_the_spread_over_groups_is_that_of_their_means() -> None:
    """Utterances without spread: the interval is that of a mean of groups drawn with replacement."""
    means = np.random.default_rng(1).normal(size=12)
    found = grouped_difference_interval([[mean] * 5 for mean in means.tolist()], [[1] * 5] * 12)
    error = means.std() / np.sqrt(12)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)


@pytest.mark.parametrize("utterances", [10, 60])
def test_intervals_are_scipy_s_percentile_bootstrap(utterances: int) -> None:
    generator = np.random.default_rng(utterances)
    totals = generator.integers(5, 30, utterances)
    errors = generator.binomial(totals, 0.2)

    def rate(wrong: np.ndarray, words: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(wrong.sum(axis) / words.sum(axis))

    (low, high) = bootstrap((errors, totals), rate, paired=True, method="percentile", rng=1).confidence_interval
    ours = rate_interval(errors.tolist(), totals.tolist())
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=0.05 * (high - low))  # of 10,000 draws
