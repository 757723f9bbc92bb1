"""Statistics of output activations, which every run observes: the paper's median, and what it compares it with.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.1 and its ablation of
sensitivity metrics.
"""

from __future__ import annotations

import math

from passes.observe.activation_stats import ActivationStats
from passes.sensitivity.metric import Metric
from passes.sensitivity.normal_test import k_squared


def median(output: ActivationStats) -> float:
    """Median |activation| over clips, frames and channels.

    Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.1: the strength of
        the activations stands for the layer's sensitivity, and the median resists outliers.
    """
    return output.median_abs


def mean(output: ActivationStats) -> float:
    """Mean activation."""
    return output.mean


def maximum(output: ActivationStats) -> float:
    """Largest activation."""
    return output.max


def mean_abs(output: ActivationStats) -> float:
    """Mean |activation|: the published code's ``mean``."""
    return output.mean_abs


def std_abs(output: ActivationStats) -> float:
    """Standard deviation of |activation|: the published code's ``std``."""
    return math.sqrt(output.var_abs)


def var_abs(output: ActivationStats) -> float:
    """Variance of |activation|: the published code's ``var``."""
    return output.var_abs


def abs_max(output: ActivationStats) -> float:
    """Largest |activation|."""
    return output.abs_max


def standard_deviation(output: ActivationStats) -> float:
    """Standard deviation of the activations."""
    return output.std


def variance(output: ActivationStats) -> float:
    """Variance of the activations."""
    return output.var


def normality(output: ActivationStats) -> float:
    """``(skewness**2 + excess_kurtosis**2 / 4) / 6``: the Jarque-Bera statistic of one value.

    The statistic itself grows with the number of values, which differs between layers, and with millions of them every
    test rejects. Heavy tails make a range that few values use, so what is not normal counts as sensitive.

    Source: Jarque and Bera, Economics Letters 6 (1980); the paper compares "a normality test" and names none.
    """
    return (output.skewness**2 + (output.kurtosis - 3) ** 2 / 4) / 6


MEDIAN = Metric(median)
MEAN = Metric(mean)
MAX = Metric(maximum)
ABS_MAX = Metric(abs_max)
STD = Metric(standard_deviation)
VAR = Metric(variance)
NORMALITY = Metric(normality)
MEAN_ABS = Metric(mean_abs)
STD_ABS = Metric(std_abs)
VAR_ABS = Metric(var_abs)
K_SQUARED = Metric(k_squared)
