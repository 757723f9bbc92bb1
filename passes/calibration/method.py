"""What a calibration method provides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from passes.activation_stats import ActivationStats


@dataclass(frozen=True, slots=True)
class Calibration:
    """Two functions that choose ranges; ``passes.affine`` turns ranges into scales and zero points.

    Args:
        weight: ``(groups (N, G, g), bits, symmetric)`` to smallest and largest value of each group, (N, G) each; the
            two levels at one bit.
        activation: Statistics of an activation to its smallest and largest value.
    """

    weight: Callable[[torch.Tensor, int, bool], tuple[torch.Tensor, torch.Tensor]]
    activation: Callable[[ActivationStats], tuple[float, float]]
