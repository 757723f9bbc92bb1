"""Is better more often than worse: the exact one-sided sign test."""

from __future__ import annotations

from math import comb


def sign_test(better: int, worse: int) -> float:
    """Probability of at least ``better`` of ``better + worse`` fair coin flips; ties are left out beforehand.

    Source: W. J. Dixon and A. M. Mood, "The statistical sign test", 1946.
    """
    flips = better + worse
    return float(sum(comb(flips, heads) for heads in range(better, flips + 1)) / 2**flips)
