"""The whole range: ``S = (max - min) / (2**b - 1)``, the zero point from the minimum.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.3.
"""

from __future__ import annotations

import torch

from passes.calibration.method import ActivationRange, RangeMethod
from passes.calibration.one_bit import one_bit_range


def weight_range(groups: torch.Tensor, bits: int, symmetric: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Smallest and largest weight of each group.

    Args:
        groups: (N, G, g) weights.
        bits: At one bit the range is the two levels.
        symmetric: Matters at one bit only.

    Returns:
        (N, G) each.
    """
    if bits == 1:
        return one_bit_range(groups, symmetric)
    low, high = torch.aminmax(groups, dim=-1)
    return low, high


def activation_range(seen: ActivationRange) -> tuple[float, float]:
    """Smallest and largest activation."""
    return seen.stats.min, seen.stats.max


MIN_MAX = RangeMethod(weight_range, activation_range)
