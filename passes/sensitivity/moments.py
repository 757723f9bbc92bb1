"""The simpler statistics that the paper compares its median with.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, ablation of sensitivity metrics.
"""

from __future__ import annotations

from passes.observe.activation_stats import ActivationStats


def mean(output: ActivationStats) -> float:
    """Mean activation."""
    return output.mean


def maximum(output: ActivationStats) -> float:
    """Largest activation."""
    return output.max


def abs_max(output: ActivationStats) -> float:
    """Largest |activation|."""
    return output.abs_max


def standard_deviation(output: ActivationStats) -> float:
    """Standard deviation of the activations."""
    return output.std


def variance(output: ActivationStats) -> float:
    """Variance of the activations."""
    return output.var
