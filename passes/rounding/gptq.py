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

from passes.needs import Needs
from passes.numbers.affine import QParams, code_dtype, levels_of, nearest_codes
from passes.numbers.scheme import MAX_PACKED_BITS
from passes.observe.few_frames import DAMPING, damped_by
from passes.rounding.method import Rounding
from passes.rounding.rounded import Rounded, or_nearest
from passes.rounding.rtn import rtn
from passes.rounding.scale_search import search_scales

BLOCK = 32
"""Columns whose errors are carried on together."""

CHUNK = 4096
"""Rows worked on together: so many that work outlasts its calls, so few that a block of columns stays in the cache."""


def gptq(weight: torch.Tensor, qparams: QParams, inputs: torch.Tensor | None) -> Rounded:
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
    return or_nearest(weight, qparams, compensated(weight, qparams, inputs), inputs)


def compensated(weight: torch.Tensor, qparams: QParams, gram: torch.Tensor) -> Rounded:
    """The same, whether or not rounding to nearest is better for some rows."""
    searched = search_scales(weight, qparams, gram.diagonal())
    return Rounded(_solve(weight, searched, gram), searched)


def _solve(weight: torch.Tensor, qparams: QParams, gram: torch.Tensor) -> torch.Tensor:
    """Codes (n, K) of the column-by-column rounding."""
    order = torch.argsort(gram.diagonal(), descending=True)
    factor = inverse_factor(gram[order][:, order])
    codes = torch.empty(weight.shape, dtype=code_dtype(qparams.bits))
    single = qparams.scale.shape[0] == 1
    for start in range(0, len(weight), CHUNK):
        rows = slice(start, min(len(weight), start + CHUNK))
        codes[rows] = _solve_rows(weight[rows], qparams.part(slice(None) if single else rows), (order, factor))
    return codes


def _solve_rows(weight: torch.Tensor, qparams: QParams, columns: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Codes of a few rows, given the order of the columns and the factor in that order."""
    order, factor = columns
    rows, cols = weight.shape
    left = weight.t()[order].contiguous()  # (K, n): a column of W is contiguous
    places: list[int] = order.tolist()
    groups = [place // qparams.group_size if qparams.scale.shape[1] > 1 else 0 for place in places]
    pivots: list[float] = factor.diagonal().tolist()
    scale = qparams.scale.t().contiguous()  # (G, n or 1)
    zero = qparams.zero_point.t().to(weight.dtype).contiguous()
    codes = torch.empty((cols, rows), dtype=code_dtype(qparams.bits))
    width = (qparams.bits, qparams.symmetric)
    for start in range(0, cols, BLOCK):
        stop = min(cols, start + BLOCK)
        errors, inner = torch.empty((stop - start, rows)), factor[start:stop, start:stop]
        for i, column in enumerate(left[start:stop]):
            # What the columns before it in the block got wrong reaches a column when its turn comes.
            wanted = torch.addmv(column, errors[:i].t(), inner[:i, i], alpha=-1)
            spread = (scale[groups[start + i]], zero[groups[start + i]], width)
            chosen = nearest_codes(wanted, *spread)
            codes[places[start + i]] = chosen.to(codes.dtype)
            torch.sub(wanted, levels_of(chosen, *spread), out=errors[i])
            errors[i] /= pivots[start + i]
        left[stop:].addmm_(factor[start:stop, stop:].t(), errors, alpha=-1)
    return codes.t()


def inverse_factor(gram: torch.Tensor) -> torch.Tensor:
    """Upper U (K, K) with ``U^T U`` the inverse of the damped Gram matrix."""
    # With J the order turned round, J H J = L L^T makes J L^-1 J this factor: one inverse of a triangle.
    lower = torch.linalg.cholesky(damped(gram).flip(0, 1))
    inverse = torch.linalg.solve_triangular(lower, torch.eye(len(lower), dtype=lower.dtype), upper=False)
    factor: torch.Tensor = inverse.flip(0, 1).to(torch.float32)
    return factor


def damped(gram: torch.Tensor) -> torch.Tensor:
    """The Gram matrix (K, K), float64, with a little of its mean diagonal added: the clips do not tell everything."""
    return damped_by(gram.double(), DAMPING)


GPTQ = Rounding(gptq, Needs(grams=True))
