"""Kullback-Leibler divergence of the output distributions."""

from __future__ import annotations

from torch import Tensor


def kl(expected: Tensor, got: Tensor) -> float:
    """Mean over positions of ``sum_v p_v (log p_v - log q_v)``.

    Args:
        expected: (L, vocabulary) log-probabilities of the full-precision model.
        got: The same of the model with one quantized layer.
    """
    return float((expected.exp() * (expected - got)).sum(-1).mean())
