"""Scales for codes that stay: what a layer should give on what it reads, by coordinate descent.

With ``u = step * codes - zero_point`` and ``H`` the Gram matrix of the inputs, the objective of a row is quadratic in
the scales ``s`` of its groups::

    (w - s u) H (w - s u)^T = s A s^T - 2 b s^T + const,   A_gh = u_g H_gh u_h^T,   b_g = u_g (H w^T)_g

Of a trellis ``w`` are the weights over its gains, and ``H`` is of inputs times gains. Each scale in turn takes the
storable value next to its best one. Scales are drawn to those that they start from as if other recordings, ``TRUST``
times as many, spoke for them: few tell little about most groups.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from passes.numbers.affine import QParams, step
from passes.numbers.quantized_weight import QuantizedBlock, QuantizedWeight
from passes.numbers.scale_grid import bytes_of_scale, grid_indices, nearest_scale

TRUST = 0.3
"""Share of its own curvature with which each scale is held where it starts; 0.1 and 1 do as well."""

SWEEPS = 4
"""Times that all groups take turns."""

_CHUNK = 1 << 22  # elements of the largest array on the way


def refit_scales(weight: Tensor, rounded: QuantizedWeight, gram: Tensor) -> QuantizedWeight:
    """The same codes with better scales; a scale that serves all rows stays.

    Args:
        weight: What they should stand for: rows first, K others, float32.
        rounded: Codes and scales to start from.
        gram: (K, K) of the layer's inputs.
    """
    rows, blocks = weight.reshape(len(weight), -1), []
    for block in rounded.blocks:
        if isinstance(block, QuantizedBlock) and len(block.qparams.scale) == block.rows.rows:
            wanted, seen = rows[block.rows.start : block.rows.stop], gram
            if block.trellis is not None:
                gains = torch.from_numpy(block.trellis.gains)
                wanted, seen = wanted / gains, gram * torch.outer(gains, gains)
            block = replace(block, qparams=_refitted(wanted, block.codes, block.qparams, seen))
        blocks.append(block)
    return QuantizedWeight(rounded.shape, tuple(blocks))


def _refitted(weight: Tensor, codes: Tensor, qparams: QParams, gram: Tensor) -> QParams:
    on_grid = bytes_of_scale(qparams.scale.shape[1]) == 1 and grid_indices(qparams.scale) is not None
    groups, scale = (2 if on_grid else 1), qparams.scale.clone()
    count = max(1, _CHUNK // weight.shape[1])
    for start in range(0, len(weight), count):
        part = slice(start, start + count)
        curves, slopes = _quadratic(weight[part], codes[part], qparams.part(part), gram)
        scale[part] = _descended(scale[part], curves, slopes, groups)
    return replace(qparams, scale=scale)


def _quadratic(weight: Tensor, codes: Tensor, qparams: QParams, gram: Tensor) -> tuple[Tensor, Tensor]:
    """A (n, G, G) and b (n, G)."""
    rows, cols = weight.shape
    size, groups = qparams.group_size, cols // qparams.group_size
    units = codes.to(torch.float32).mul_(step(qparams.bits, qparams.symmetric)).reshape(rows, groups, size)
    units = units - qparams.zero_point.to(torch.float32).unsqueeze(-1)
    slopes = ((weight @ gram).reshape(units.shape) * units).sum(-1)
    curves = torch.empty(rows, groups, groups)
    for group in range(groups):
        bent = units[:, group] @ gram[group * size : (group + 1) * size]
        curves[:, group] = (bent.reshape(units.shape) * units).sum(-1)
    return curves, slopes


def _descended(start: Tensor, curves: Tensor, slopes: Tensor, groups: int) -> Tensor:
    """Scales (n, G) whose objective is at most that of ``start``."""
    scale, own = start.clone(), curves.diagonal(dim1=1, dim2=2).clamp(min=1e-30)
    for _ in range(SWEEPS):
        for group in range(scale.shape[1]):
            curve, at = own[:, group], scale[:, group]
            slope = slopes[:, group] - (curves[:, group] * scale).sum(-1)
            slope += TRUST * curve * (start[:, group] - at)
            curve = curve * (1 + TRUST)
            found = nearest_scale(at + slope / curve, groups)
            moved = found - at
            better = (found > 0) & (moved * (moved * curve - 2 * slope) < 0)
            scale[:, group] = torch.where(better, found, at)
    return scale
