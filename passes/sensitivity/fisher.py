"""Empirical Fisher information of the weights."""

from __future__ import annotations

from passes.observe.activation_stats import ActivationStats


def fisher(gradients: ActivationStats) -> float:
    """Mean of ``(d log p(y) / d w)**2`` over weights and clips, y being the model's own tokens.

    The mean diagonal of the Fisher information: to second order, what an independent error of variance s on each weight
    costs in log-likelihood is ``s / 2`` times that for each weight. No label is needed, and one backward pass serves
    all layers.
    """
    return gradients.var + gradients.mean**2
