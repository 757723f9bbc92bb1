"""The range with the smallest squared error of the quantized values themselves, whatever they are multiplied with."""

from __future__ import annotations

import torch

from passes.calibration.method import ActivationRange, RangeMethod
from passes.calibration.min_max import weight_range
from passes.needs import Needs
from passes.numbers.affine import activation_qparams, levels_of, nearest_codes, qparams_from_range
from passes.numbers.factors import FACTORS

_CHUNK = 1 << 20  # weights looked at together


def mse_weight_range(groups: torch.Tensor, bits: int, symmetric: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """For each group the multiple of its whole range with the smallest ``sum (w - Q(w))**2``.

    Args:
        groups: (N, G, g) weights.
        bits: At one bit the two levels, which are the best already.
        symmetric: Zero in the middle of the codes.

    Returns:
        Smallest and largest value, (N, G) each.
    """
    low, high = weight_range(groups, bits, symmetric)
    if bits == 1:
        return low, high
    factor = torch.empty_like(low)
    rows = max(1, _CHUNK // (groups.shape[1] * groups.shape[2]))
    for start in range(0, len(groups), rows):
        part = slice(start, start + rows)
        factor[part] = _best_factors(groups[part], (low[part], high[part]), bits, symmetric)
    return low * factor, high * factor


def _best_factors(
    groups: torch.Tensor, ends: tuple[torch.Tensor, torch.Tensor], bits: int, symmetric: bool
) -> torch.Tensor:
    """(n, G) of (n, G, g)."""
    width, (low, high) = (bits, symmetric), ends
    best, chosen = torch.full_like(low, torch.inf), torch.ones_like(low)
    for factor in FACTORS:
        tried = qparams_from_range(low * factor, high * factor, bits, symmetric, groups.shape[-1])
        scale, zero_point = tried.scale.unsqueeze(-1), tried.zero_point.to(groups.dtype).unsqueeze(-1)
        rounded = levels_of(nearest_codes(groups, scale, zero_point, width), scale, zero_point, width)
        error = rounded.sub_(groups).square_().sum(-1)
        better = error < best
        best = torch.where(better, error, best)
        chosen = torch.where(better, factor, chosen)
    return chosen


def mse_activation_range(seen: ActivationRange) -> tuple[float, float]:
    """The multiple of the whole range with the smallest squared error on the values read."""
    best, chosen = torch.inf, 1.0
    for factor in FACTORS:
        tried = activation_qparams(seen.stats.min * factor, seen.stats.max * factor, seen.bits, seen.symmetric)
        scale, zero_point, width = tried.scale[0], tried.zero_point[0].float(), (seen.bits, seen.symmetric)
        rounded = levels_of(nearest_codes(seen.values, scale, zero_point, width), scale, zero_point, width)
        error = float(rounded.sub_(seen.values).square_().sum())
        if error < best:
            best, chosen = error, factor
    return seen.stats.min * chosen, seen.stats.max * chosen


MSE = RangeMethod(mse_weight_range, mse_activation_range, input_needs=Needs(rows=True))
