"""Gradients of the log-probability of the model's own tokens with respect to weights and to outputs."""

from __future__ import annotations

from passes.observe.activation_stats import GRADIENT, OUTPUT_GRADIENT, ActivationStats
from passes.sensitivity.metric import Metric


def grad(gradients: ActivationStats) -> float:
    """Median of ``|d log p(y) / d w|`` over weights and clips, y being the model's own tokens.

    Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, ablation of sensitivity
        metrics, which names no quantile; the median is the one that the paper takes of activations.
    """
    return gradients.median_abs


def fisher(gradients: ActivationStats) -> float:
    """Mean of ``(d log p(y) / d w)**2`` over weights and clips, y being the model's own tokens.

    The mean diagonal of the Fisher information: to second order, what an independent error of variance s on each weight
    costs in log-likelihood is ``s / 2`` times that for each weight. No label is needed, and one backward pass serves
    all layers.
    """
    return gradients.var + gradients.mean**2


def grad_output(quantiles: ActivationStats) -> float:
    """Mean over clips of the 0.9 quantile of ``d log p(y) / d output``: the published code's ``grad``."""
    return quantiles.mean


GRAD = Metric(grad, GRADIENT)
FISHER = Metric(fisher, GRADIENT)
GRAD_OUTPUT = Metric(grad_output, OUTPUT_GRADIENT)
