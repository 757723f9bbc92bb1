"""Intervals of error rates by resampling utterances.

Source: M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", 2004.
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


def _resample(counts: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Sums (block, columns) of N utterances drawn with replacement from ``counts`` (N, columns)."""
    generator = np.random.default_rng(seed)
    share = np.full(len(counts), 1 / len(counts))
    for _ in range(RESAMPLES // _BLOCK):
        yield generator.multinomial(len(counts), share, size=_BLOCK) @ counts


def _interval(values: np.ndarray) -> Interval:
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))
