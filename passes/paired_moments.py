"""What a layer reads in two models at once: at full precision (x), and behind layers that are rounded already (x').

A layer should give what it gives at full precision although it reads something else::

    minimize  sum_t w_t |W x_t - Q x'_t|^2

With ``H = mean(w x' x'^T)`` and ``C = mean(w x x'^T)`` that is ``tr((V - Q) H (V - Q)^T)`` and a constant, for

    V = W C H^-1 = W + W (C - H) H^-1

so that V is rounded in place of W, with H as the Gram matrix. H is damped, which keeps V near W where the clips tell
little.

Source: Li et al., "GPTAQ: Efficient Finetuning-Free Quantization for Asymmetric Calibration", ICML 2025.
"""

from __future__ import annotations

import torch
from torch import Tensor

DAMPING = 0.05
"""Part of the mean diagonal of H that is added to it; chosen on development speech."""


class PairedMoments:
    """Adds up the second moments of pairs of inputs.

    Args:
        cols: Inputs K of the layer.
    """

    def __init__(self, cols: int) -> None:
        self._gram = torch.zeros(cols, cols)
        self._cross = torch.zeros(cols, cols)
        self._weight = 0.0

    def add(self, exact: Tensor, rounded: Tensor, weights: Tensor) -> None:
        """Adds what one clip makes the layer read.

        Args:
            exact: (…, K) x.
            rounded: (…, K) x'.
            weights: (…) of each frame.
        """
        cols = len(self._gram)
        root = weights.sqrt().unsqueeze(-1)
        x, seen = ((values * root).reshape(-1, cols) for values in (exact, rounded))
        self._gram += seen.T @ seen
        self._cross += x.T @ seen
        self._weight += float(weights.sum())

    def gram(self) -> Tensor:
        """H (K, K)."""
        return self._gram / max(self._weight, 1e-30)

    def shifted(self, weight: Tensor) -> Tensor:
        """V, of the shape of ``weight``: rows first, K others."""
        gram, cross = self._gram.double(), self._cross.double()
        damping = DAMPING * gram.diagonal().mean().clamp(min=1e-30)
        damped = gram + damping * torch.eye(len(gram), dtype=gram.dtype)
        shift: Tensor = torch.linalg.solve(damped, (cross - gram).T).T.to(weight.dtype)
        matrix = weight.reshape(len(weight), -1)
        found: Tensor = matrix + matrix @ shift
        return found.reshape(weight.shape)
