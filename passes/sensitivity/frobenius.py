"""Frobenius norm of the difference of the output distributions."""

from __future__ import annotations

import torch
from torch import Tensor


def frobenius(expected: Tensor, got: Tensor) -> float:
    """``sqrt(sum_tv (p_tv - q_tv)**2)`` over all positions of a clip: long clips weigh more than in :func:`l2`.

    Args:
        expected: (L, vocabulary) log-probabilities of the full-precision model.
        got: The same of the model with one quantized layer.
    """
    return float(torch.linalg.matrix_norm(expected.exp() - got.exp(), "fro"))
