"""L2 distance of the output distributions."""

from __future__ import annotations

import torch
from torch import Tensor


def l2(expected: Tensor, got: Tensor) -> float:
    """Mean over positions of ``sqrt(sum_v (p_v - q_v)**2)``.

    Args:
        expected: (L, vocabulary) log-probabilities of the full-precision model.
        got: The same of the model with one quantized layer.
    """
    return float(torch.linalg.vector_norm(expected.exp() - got.exp(), dim=-1).mean())
