"""Quantile of the gradients of the weights."""

from __future__ import annotations

from passes.observe.activation_stats import ActivationStats


def grad(gradients: ActivationStats) -> float:
    """Median of ``|d log p(y) / d w|`` over weights and clips, y being the model's own tokens.

    Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, ablation of sensitivity
        metrics, which names no quantile; the median is the one that the paper takes of activations.
    """
    return gradients.median_abs
