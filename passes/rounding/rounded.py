"""What a rounding method gives back, and the rule that it is never worse than rounding to nearest."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from passes.affine import QParams, dequantize, quantize


@dataclass(frozen=True, slots=True, eq=False)
class Rounded:
    """Some rows of a weight as codes.

    Args:
        codes: (n, K) integers.
        qparams: That they belong to.
        fallbacks: Rows that are rounded to nearest because the method's own objective is lower there.
    """

    codes: Tensor
    qparams: QParams
    fallbacks: int = 0


def row_errors(weight: Tensor, codes: Tensor, qparams: QParams, gram: Tensor) -> Tensor:
    """The objective ``e H e^T`` of each row, (n,)."""
    error = dequantize(codes, qparams).sub_(weight)
    return (error @ gram).mul_(error).sum(-1)


def or_nearest(weight: Tensor, qparams: QParams, found: Rounded, gram: Tensor) -> Rounded:
    """``found``, with the nearest levels in the rows where ``e H e^T`` is lower for them.

    Args:
        weight: (n, K) float32.
        qparams: To round to nearest with.
        found: Of the same rows.
        gram: H (K, K).
    """
    plain = quantize(weight, qparams)
    worse = row_errors(weight, found.codes, found.qparams, gram) > row_errors(weight, plain, qparams, gram)
    count = int(worse.sum())
    if not count:
        return found
    keep = worse.unsqueeze(-1)
    codes = torch.where(keep, plain, found.codes)
    if found.qparams is qparams:
        return Rounded(codes, qparams, count)
    scale = torch.where(keep, qparams.scale, found.qparams.scale)
    zero_point = torch.where(keep, qparams.zero_point, found.qparams.zero_point)
    chosen = QParams(qparams.bits, qparams.symmetric, qparams.group_size, scale, zero_point)
    return Rounded(codes, chosen, count)
