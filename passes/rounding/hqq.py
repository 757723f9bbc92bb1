"""Half-quadratic quantization: scales and zero points that leave most weights close, and a few outliers farther.

Without data, the errors of a group are measured by ``sum |w - Q(w)|^p`` with p = 0.7, which an outlier moves little.
Half-quadratic splitting gives the outliers an error ``e`` of their own and takes turns, in units of the scale::

    e = shrink(w - Q(w)),   shrink(x) = sign(x) max(0, |x| - |x|^(p-1) / beta),   beta grows
    z = mean(step * codes - (w - e) / s)
    s = (w - e) . (step * codes - z) / |step * codes - z|^2

Scales and zero points are brought to values that a file stores. Each group keeps the best that was seen, rounding to
nearest included. Left alone, that norm gives up outliers which a model needs, so that a result counts only where

    r_2 <= min(LIMIT, 1 / r_p^2),   r_q = sum |w - Q(w)|^q over the same of rounding to nearest

that is where the squared error rises by no more than a factor ``LIMIT``, and only as far as the objective pays for it.

Source: Badri and Shaji, "Half-Quadratic Quantization of Large Machine Learning Models", 2023; the scale's turn is ours.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from passes.affine import QParams, levels_of, nearest_codes, quantize, step, top
from passes.rounding.rounded import Rounded
from passes.scale_grid import nearest_scale

NORM = 0.7
"""Exponent p."""

LIMIT = 1.7
"""Factor by which the squared error of a group may exceed that of rounding to nearest."""

STARTS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6)
"""Fractions of the range to start from, each of which ends in a minimum of its own."""

ITERATIONS = 3
"""Turns from each start."""

_BETA, _GROWTH = 10.0, 1.01
_TINY = 1e-30
_CHUNK = 1 << 21  # weights worked on together, so that little memory is needed


def hqq(weight: Tensor, qparams: QParams, inputs: Tensor | None) -> Rounded:
    """Codes of the nearest levels, after scales and zero points were optimized.

    Args:
        weight: (n, K) float32.
        qparams: Of these rows; kept at one bit, whose levels are means, and when one scale serves all rows.
        inputs: Not used.

    Returns:
        Codes (n, K), and the qparams that they belong to; rows in which no group changed count as fallbacks.
    """
    del inputs
    rows, cols = weight.shape
    if qparams.bits == 1 or qparams.scale.shape[0] != rows:
        return Rounded(quantize(weight, qparams), qparams)
    scale, zero_point = qparams.scale.clone(), qparams.zero_point.clone()
    for start in range(0, rows, count := max(1, _CHUNK // cols)):
        part = slice(start, min(rows, start + count))
        scale[part], zero_point[part] = _optimize(weight[part], qparams.part(part))
    found = QParams(qparams.bits, qparams.symmetric, qparams.group_size, scale, zero_point)
    same = (scale == qparams.scale) & (zero_point == qparams.zero_point)
    return Rounded(quantize(weight, found), found, int(same.all(-1).sum()))


def group_errors(weight: Tensor, codes: Tensor, qparams: QParams, norm: float = NORM) -> Tensor:
    """``sum |w - Q(w)|^norm`` of each group, (n, G); the objective, unless another norm is given."""
    groups = weight.reshape(len(weight), -1, qparams.group_size)
    found = codes.to(weight.dtype).reshape(groups.shape)
    levels = levels_of(found, *_spread(qparams.scale, qparams.zero_point, qparams))
    return (levels - groups).abs_().pow_(norm).sum(-1)


def _optimize(weight: Tensor, qparams: QParams) -> tuple[Tensor, Tensor]:
    """Scales and zero points (n, G): the best of what every start ends with."""
    groups = weight.reshape(len(weight), -1, qparams.group_size)  # (n, G, g)
    nearest, least = _errors(weight, qparams)
    first, best = least, qparams
    for shrink in STARTS:
        found, beta = replace(qparams, scale=_storable(qparams.scale * shrink, qparams.scale, qparams)), _BETA
        for turn in range(ITERATIONS + 1):
            found = _turn(groups, found, beta) if turn else found
            squares, cost = _errors(weight, found)
            allowed = nearest * (first / cost.clamp(min=_TINY)).square().clamp(max=LIMIT)
            better = (cost < least) & (squares <= allowed)
            least = torch.where(better, cost, least)
            scale = torch.where(better, found.scale, best.scale)
            best = replace(best, scale=scale, zero_point=torch.where(better, found.zero_point, best.zero_point))
            beta *= _GROWTH
    return best.scale, best.zero_point


def _errors(weight: Tensor, qparams: QParams) -> tuple[Tensor, Tensor]:
    """Squared error and objective of each group, (n, G), of the nearest levels."""
    codes = quantize(weight, qparams)
    return group_errors(weight, codes, qparams, 2.0), group_errors(weight, codes, qparams)


def _turn(groups: Tensor, qparams: QParams, beta: float) -> QParams:
    """Errors, zero points and scales once, for weights (n, G, g)."""
    scale, zero, width = _spread(qparams.scale, qparams.zero_point, qparams)
    codes = nearest_codes(groups, scale, zero, width)
    units = (groups - levels_of(codes, scale, zero, width)) / scale
    outliers = units.sign() * (units.abs() - units.abs().pow(NORM - 1) / beta).clamp_(min=0) * scale
    kept, codes = groups - outliers, codes * step(*width)
    if not qparams.symmetric:
        zero = (codes - kept / scale).mean(-1, keepdim=True).round_().clamp_(0, top(*width))
    direction = codes - zero
    wanted = (kept * direction).sum(-1) / direction.square().sum(-1).clamp(min=_TINY)
    new = _storable(wanted, qparams.scale, qparams)
    return replace(qparams, scale=new, zero_point=zero.squeeze(-1).to(torch.int32))


def _storable(wanted: Tensor, before: Tensor, qparams: QParams) -> Tensor:
    """The scales that a file holds next to the wanted ones; as they were before where nothing is wanted."""
    near = nearest_scale(wanted, qparams.scale.shape[1])
    return torch.where((wanted > 0) & (near > 0), near, before)


def _spread(scale: Tensor, zero_point: Tensor, qparams: QParams) -> tuple[Tensor, Tensor, tuple[int, bool]]:
    """Scale, zero point and width, lined up with the weights of groups."""
    return scale.unsqueeze(-1), zero_point.to(scale.dtype).unsqueeze(-1), (qparams.bits, qparams.symmetric)
