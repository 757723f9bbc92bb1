"""L1 distance of the output distributions."""

from __future__ import annotations

from torch import Tensor


def l1(expected: Tensor, got: Tensor) -> float:
    """Mean over positions of ``sum_v |p_v - q_v|``, which lies between 0 and 2.

    Args:
        expected: (L, vocabulary) log-probabilities of the full-precision model.
        got: The same of the model with one quantized layer.
    """
    return float((expected.exp() - got.exp()).abs().sum(-1).mean())
