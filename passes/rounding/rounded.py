"""What a rounding method gives back, and the rule that it is never worse than rounding to nearest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from passes.numbers.affine import QParams, dequantize, quantize
from passes.numbers.trellis_codes import TrellisCodes


@dataclass(frozen=True, slots=True, eq=False)
class Rounded:
    """Some rows of a weight as codes.

    Args:
        codes: (n, K) integers.
        qparams: That they belong to.
        fallbacks: Rows that keep what the method started from, mostly the nearest levels, because its own objective is
            lower there.
        trellis: The strings of the codes, which are their levels then.
        damping: Part of its mean diagonal that the Gram matrix took, where that is more than usual.
    """

    codes: Tensor
    qparams: QParams
    fallbacks: int = 0
    trellis: TrellisCodes | None = None
    damping: float | None = None


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
    plain = Rounded(quantize(weight, qparams), qparams)
    worse = row_errors(weight, found.codes, found.qparams, gram) > row_errors(weight, plain.codes, qparams, gram)
    return choose(worse, plain, found)


def choose(keep: Tensor, start: Rounded, found: Rounded) -> Rounded:
    """``found``, with ``start`` in some rows, which count as fallbacks.

    Args:
        keep: (n,) bool.
        start: Of the same rows.
        found: Of the same rows; shares the qparams of ``start`` where one scale serves all of them.
    """
    count = int(keep.sum())
    if not count:
        return found
    rows = keep.unsqueeze(-1)
    codes = torch.where(rows, start.codes, found.codes)
    if found.qparams is start.qparams:
        return replace(found, codes=codes, qparams=start.qparams, fallbacks=count)
    scale = torch.where(rows, start.qparams.scale, found.qparams.scale)
    zero_point = torch.where(rows, start.qparams.zero_point, found.qparams.zero_point)
    qparams = replace(found.qparams, scale=scale, zero_point=zero_point)
    return replace(found, codes=codes, qparams=qparams, fallbacks=count)
