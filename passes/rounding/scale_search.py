"""Scales that clip a little when that costs less: a search over shrunken ranges, weighted by what each input matters.

For each group, among ranges ``c * (min, max)`` with c from 1 down to 0.5, the one with the smallest

    sum_k H_kk * (w_k - Q_c(w_k))**2
"""

from __future__ import annotations

import torch

from passes.numbers.affine import QParams, levels_of, nearest_codes, qparams_from_range

SHRINKS = tuple(1.0 - 0.03125 * i for i in range(17))
"""Fractions of the range that are tried."""

_CHUNK = 1 << 21  # weights looked at together, so that the search needs little memory


def search_scales(weight: torch.Tensor, qparams: QParams, importance: torch.Tensor) -> QParams:
    """The best qparams for each group of each row.

    Args:
        weight: (n, K) float32.
        qparams: Of the full ranges; returned as they are at one bit, whose two levels are means, and when one scale
            serves all rows.
        importance: (K,) of the inputs, not negative.
    """
    rows, cols = weight.shape
    if qparams.bits == 1 or qparams.scale.shape[0] != rows:
        return qparams
    scale, zero_point = qparams.scale.clone(), qparams.zero_point.clone()
    for start in range(0, rows, count := max(1, _CHUNK // cols)):
        part = slice(start, min(rows, start + count))
        scale[part], zero_point[part] = _search(weight[part], qparams, importance)
    return QParams(qparams.bits, qparams.symmetric, qparams.group_size, scale, zero_point)


def _search(weight: torch.Tensor, qparams: QParams, importance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    size, bits, symmetric = qparams.group_size, qparams.bits, qparams.symmetric
    groups = weight.reshape(len(weight), -1, size)  # (n, G, g)
    weights = importance.reshape(1, -1, size)
    low, high = groups.amin(-1), groups.amax(-1)
    best: torch.Tensor | None = None
    for shrink in SHRINKS:
        tried = qparams_from_range(low * shrink, high * shrink, bits, symmetric, size)
        spread = (tried.scale.unsqueeze(-1), tried.zero_point.to(groups.dtype).unsqueeze(-1), (bits, symmetric))
        error = (
            levels_of(nearest_codes(groups, *spread), *spread).sub_(groups).square_().mul_(weights).sum(-1)
        )  # (n, G)
        if best is None:
            best, scale, zero_point = error, tried.scale, tried.zero_point
            continue
        better = error < best
        best = torch.where(better, error, best)
        scale = torch.where(better, tried.scale, scale)
        zero_point = torch.where(better, tried.zero_point, zero_point)
    return scale, zero_point
