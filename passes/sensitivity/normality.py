"""How far the output activations are from a normal distribution."""

from __future__ import annotations

from passes.observe.activation_stats import ActivationStats


def normality(output: ActivationStats) -> float:
    """``(skewness**2 + excess_kurtosis**2 / 4) / 6``: the Jarque-Bera statistic of one value.

    The statistic itself grows with the number of values, which differs between layers, and with millions of them every
    test rejects. Heavy tails make a range that few values use, so what is not normal counts as sensitive.

    Source: Jarque and Bera, Economics Letters 6 (1980); the paper compares "a normality test" and names none.
    """
    return (output.skewness**2 + (output.kurtosis - 3) ** 2 / 4) / 6
