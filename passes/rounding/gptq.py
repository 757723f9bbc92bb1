"""GPTQ: rounds one input at a time and lets the inputs that follow make up for the error.

With ``H`` the Gram matrix of the layer's inputs, damped, and ``U`` the upper Cholesky factor of its inverse, column
``i`` of W is rounded and its error spreads over the columns after it::

    q_i = Q(w_i);   e = (w_i - q_i) / U_ii;   W[:, i+1:] -= e U[i, i+1:]

Columns go in the order of falling ``H_ii``; scales are fixed before, by a search weighted with ``H_ii``, so that groups
stay where they are. Columns are handled in blocks, whose errors reach the columns behind them in one product. A row
whose objective ``e H e^T`` ends above that of rounding to nearest keeps the latter.

Source: Frantar et al., "GPTQ", ICLR 2023, algorithm 1.
"""

from __future__ import annotations

import torch

from passes.affine import QParams, code_dtype, dequantize, levels_of, nearest_codes
from passes.rounding.rtn import rtn
from passes.rounding.scale_search import search_scales
from passes.scheme import MAX_PACKED_BITS

BLOCK = 128
"""Columns whose errors are carried on together."""

DAMPING = 0.05
"""Part of the mean diagonal that is added to it; chosen on development speech."""


def gptq(weight: torch.Tensor, qparams: QParams, inputs: torch.Tensor | None) -> tuple[torch.Tensor, QParams]:
    """Codes that keep the layer's output on the user's clips.

    Args:
        weight: (n, K) float32.
        qparams: Of these rows.
        inputs: (K, K) Gram matrix; None, or a width above 8 bits, rounds to nearest.

    Returns:
        Codes (n, K), and the qparams after the search.
    """
    if inputs is None or qparams.bits > MAX_PACKED_BITS:
        return rtn(weight, qparams, inputs)
    searched = search_scales(weight, qparams, inputs.diagonal())
    codes = _solve(weight, searched, inputs)
    plain, _ = rtn(weight, qparams, None)
    worse = row_errors(weight, codes, searched, inputs) > row_errors(weight, plain, qparams, inputs)
    if searched.scale.shape[0] == 1 or not bool(worse.any()):
        return codes, searched
    codes[worse] = plain[worse]
    keep = worse.unsqueeze(-1)
    scale = torch.where(keep, qparams.scale, searched.scale)
    zero_point = torch.where(keep, qparams.zero_point, searched.zero_point)
    return codes, QParams(searched.bits, searched.symmetric, searched.group_size, scale, zero_point)


def row_errors(weight: torch.Tensor, codes: torch.Tensor, qparams: QParams, gram: torch.Tensor) -> torch.Tensor:
    """The objective ``e H e^T`` of each row, (n,)."""
    error = dequantize(codes, qparams).sub_(weight)
    return (error @ gram).mul_(error).sum(-1)


def _solve(weight: torch.Tensor, qparams: QParams, gram: torch.Tensor) -> torch.Tensor:
    """Codes (n, K) of the column-by-column rounding."""
    rows, cols = weight.shape
    order = torch.argsort(gram.diagonal(), descending=True)
    factor = inverse_factor(gram[order][:, order])
    left = weight.t()[order].contiguous()  # (K, n): a column of W is contiguous
    groups = order // qparams.group_size if qparams.scale.shape[1] > 1 else torch.zeros_like(order)
    scale = qparams.scale.t().contiguous()  # (G, n or 1)
    zero = qparams.zero_point.t().to(weight.dtype).contiguous()
    codes = torch.empty((cols, rows), dtype=code_dtype(qparams.bits))
    width = (qparams.bits, qparams.symmetric)
    for start in range(0, cols, BLOCK):
        stop = min(cols, start + BLOCK)
        errors = torch.empty((stop - start, rows))
        for i in range(start, stop):
            group = groups[i]
            chosen = nearest_codes(left[i], scale[group], zero[group], width)
            codes[order[i]] = chosen.to(codes.dtype)
            errors[i - start] = (left[i] - levels_of(chosen, scale[group], zero[group], width)) / factor[i, i]
            left[i + 1 : stop] -= factor[i, i + 1 : stop].unsqueeze(-1) * errors[i - start]
        left[stop:] -= factor[start:stop, stop:].t() @ errors
    return codes.t().contiguous()


def inverse_factor(gram: torch.Tensor) -> torch.Tensor:
    """Upper U (K, K) with ``U^T U`` the inverse of the damped Gram matrix."""
    damped = gram.double()
    mean = damped.diagonal().mean().clamp(min=1e-12)
    damped = damped + torch.eye(len(damped), dtype=damped.dtype) * (DAMPING * mean)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    factor: torch.Tensor = torch.linalg.cholesky(inverse, upper=True).to(torch.float32)
    return factor
