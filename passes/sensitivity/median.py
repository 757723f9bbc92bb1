"""Median of the absolute output activation."""

from __future__ import annotations

from passes.observe.activation_stats import ActivationStats


def median(output: ActivationStats) -> float:
    """Median |activation| over clips, frames and channels.

    Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.1: the strength of
        the activations stands for the layer's sensitivity, and the median resists outliers.
    """
    return output.median_abs
