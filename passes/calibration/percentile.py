"""The range that all but a few values lie in."""

from __future__ import annotations

import torch

from passes.calibration.method import ActivationRange, RangeMethod
from passes.calibration.one_bit import one_bit_range
from passes.needs import Needs

TAIL = 1e-4
"""Share of the values that may lie below the range, and above it."""


def percentile_weight_range(groups: torch.Tensor, bits: int, symmetric: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Percentiles 0.01 and 99.99 of each group; a group of few weights keeps nearly its whole range.

    Args:
        groups: (N, G, g) weights.
        bits: At one bit the range is the two levels.
        symmetric: Matters at one bit only.

    Returns:
        (N, G) each.
    """
    if bits == 1:
        return one_bit_range(groups, symmetric)
    low, high = (_quantile(groups, share) for share in (TAIL, 1 - TAIL))
    return low, high


def _quantile(groups: torch.Tensor, share: float) -> torch.Tensor:
    """Linear between neighbours, as ``torch.quantile``, which refuses large inputs."""
    size = groups.shape[-1]
    place = share * (size - 1)
    below = int(place)
    ends = [groups.kthvalue(min(below + step, size - 1) + 1, dim=-1).values for step in (0, 1)]
    return torch.lerp(ends[0], ends[1], place - below)


def percentile_activation_range(seen: ActivationRange) -> tuple[float, float]:
    """Percentiles 0.01 and 99.99 of the values read."""
    low, high = (float(_quantile(seen.values.reshape(1, 1, -1), share)) for share in (TAIL, 1 - TAIL))
    return low, high


PERCENTILE = RangeMethod(percentile_weight_range, percentile_activation_range, input_needs=Needs(rows=True))
