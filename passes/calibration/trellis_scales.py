"""Scales of trellis codes: those that bring every group of weights to the spread that tables are made for."""

from __future__ import annotations

import torch
from torch import Tensor

from passes.numbers.affine import QParams
from passes.numbers.scale_grid import nearest_scale
from passes.numbers.scheme import MAX_PACKED_BITS
from passes.numbers.trellis import MIDDLE, UNIT

_SMALLEST = 2.0**-16


def trellis_qparams(weight: Tensor, group_size: int) -> QParams:
    """Scales that bring every group to the spread that tables are made for.

    Args:
        weight: (n, K) float32.
        group_size: Neighbours of a row that share a scale.
    """
    spread = weight.detach().reshape(len(weight), -1, group_size).square().mean(-1).sqrt()
    scale = nearest_scale((spread / UNIT).clamp(min=_SMALLEST), spread.shape[1])
    zero = torch.full_like(scale, MIDDLE).to(torch.int32)
    return QParams(MAX_PACKED_BITS, True, group_size, scale, zero)
