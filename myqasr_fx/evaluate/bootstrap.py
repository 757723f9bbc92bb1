"""Intervals of error rates by resampling utterances, or groups of them and then utterances.

Of utterances alone they are ``scipy.stats.bootstrap``'s percentile intervals, which know no groups and refuse a single
utterance; how often each utterance is drawn is drawn here, so that a resample is one product.

Source: M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", 2004;
A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8, for groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000

_BLOCK = 500
"""Resamples drawn at a time, which bounds the memory."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A range that holds 95 % of the resampled values."""

    low: float
    high: float


def rate_interval(errors: Sequence[float], totals: Sequence[float], seed: int = 0) -> Interval:
    """Interval of sum(errors) / sum(totals).

    Args:
        errors: (N,) errors of each utterance.
        totals: (N,) reference words of each utterance.
        seed: Of the resampling.
    """
    counts = np.stack([np.asarray(errors), np.asarray(totals)], axis=1)
    return _interval(np.concatenate([w[:, 0] / np.maximum(w[:, 1], 1) for w in _resample(counts, seed)]))


def difference_interval(
    errors: Sequence[int], other_errors: Sequence[float], totals: Sequence[float], seed: int = 0
) -> Interval:
    """Interval of the rate of ``errors`` minus that of ``other_errors`` on the same utterances.

    Each resample takes the same utterances for both, so that what makes an utterance hard cancels.
    """
    change = np.asarray(errors) - np.asarray(other_errors)
    return rate_interval(change.tolist(), totals, seed)


def grouped_difference_interval(
    changes: Sequence[Sequence[float]], totals: Sequence[Sequence[float]], seed: int = 0
) -> Interval:
    """Interval of a difference of rates where the groups are a sample too, such as speakers out of many.

    Each resample draws groups, and then as many utterances of each as it has.

    Args:
        changes: For each group the (n,) differences of errors of its utterances.
        totals: The same for reference words.
        seed: Of the resampling.
    """
    generator, groups = np.random.default_rng(seed), len(changes)
    drawn = generator.multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES)  # (R, groups): how often each
    sums = np.zeros((RESAMPLES, 2))
    for index, pair in enumerate(zip(changes, totals, strict=True)):
        counts = np.stack([np.asarray(column, np.float64) for column in pair], axis=1)
        share = np.full(len(counts), 1 / len(counts))
        for times in np.unique(drawn[:, index]):
            chosen = np.flatnonzero(drawn[:, index] == times)
            sums[chosen] += generator.multinomial(times * len(counts), share, size=len(chosen)) @ counts
    return _interval(sums[:, 0] / np.maximum(sums[:, 1], 1))


def _resample(counts: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Sums (block, columns) of N utterances drawn with replacement from ``counts`` (N, columns)."""
    generator = np.random.default_rng(seed)
    share = np.full(len(counts), 1 / len(counts))
    for _ in range(RESAMPLES // _BLOCK):
        yield generator.multinomial(len(counts), share, size=_BLOCK) @ counts


def _interval(values: np.ndarray) -> Interval:
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))
