"""Rounding column by column, where the columns that follow make up for errors, whatever values a column may take.

With ``H`` the damped Gram matrix of the layer's inputs and ``U`` the upper Cholesky factor of its inverse::

    q_i = Q(w_i);   e = (w_i - q_i) / U_ii;   W[:, i+1:] -= e U[i, i+1:]

Source: Frantar et al., "GPTQ", ICLR 2023, algorithm 1.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch

from passes.errors import QuantizationError
from passes.observe.few_frames import DAMPING, damped_by
from passes.rounding.walk import Block, Walk

BLOCK = 32
"""Columns whose errors are carried on together."""

CHUNK = 4096
"""Rows worked on together: so many that work outlasts its calls, so few that a block of columns stays in the cache."""

_DAMPINGS = tuple(DAMPING * 10**step for step in range(5))
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """How the columns of a weight are gone through.

    Args:
        order: (K,) their places, by falling ``H_ii``.
        factor: (K, K) upper, of the damped Gram matrix in that order.
        damping: Part of its mean diagonal that was added; None where the usual one was enough.
    """

    order: torch.Tensor
    factor: torch.Tensor
    damping: float | None

    def errors_left(self) -> torch.Tensor:
        """(K,) what is left of a squared error of each input when those behind it have made up for it."""
        found = torch.empty(len(self.order))
        found[self.order] = 1 / self.factor.diagonal().square()
        return found


def falling_columns(gram: torch.Tensor) -> Columns:
    """Columns by falling ``H_ii``; raises what :func:`inverse_factor` does."""
    order = torch.argsort(gram.diagonal(), descending=True)
    factor, part = inverse_factor(gram[order][:, order])
    return Columns(order, factor, part if part > DAMPING else None)


def carry_errors(weight: torch.Tensor, columns: Columns, walk: Walk) -> None:
    """Rounds some rows column by column.

    Args:
        weight: (n, K) float32.
        columns: Of :func:`falling_columns`.
        walk: Chooses the values of a block of columns, and keeps their codes.
    """
    factor, cols = columns.factor, weight.shape[1]
    left = weight.t()[columns.order].contiguous()  # (K, n): a column of W is contiguous
    places: list[int] = columns.order.tolist()
    for start in range(0, cols, BLOCK):
        part, behind = slice(start, start + BLOCK), slice(start + BLOCK, None)
        inner = factor[part, part]
        errors = walk(Block(places[part], left[part], inner.t(), pivots=inner.diagonal()))
        left[behind].addmm_(factor[part, behind].t(), errors, alpha=-1)


def inverse_factor(gram: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Upper U (K, K) with ``U^T U`` the inverse of the damped Gram matrix, and the part of its mean diagonal added.

    Of a matrix that float32 left with negative directions more of its mean diagonal is taken, ten times as much until
    none is left, and that is logged.

    Raises:
        QuantizationError: It holds what is no number, or is far from any sum of squares.
    """
    # With J the order turned round, J H J = L L^T makes J L^-1 J this factor: one inverse of a triangle.
    lower, part = _lower(gram)
    inverse = torch.linalg.solve_triangular(lower, torch.eye(len(lower), dtype=lower.dtype), upper=False)
    return inverse.to(torch.float32).flip(0, 1), part


def _lower(gram: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The lower Cholesky factor of the matrix with inputs turned round, and the damping that it took."""
    for part in _DAMPINGS:
        lower: torch.Tensor
        lower, failed = torch.linalg.cholesky_ex(damped_by(gram, part, torch.float64).flip(0, 1))
        if not failed and lower.diagonal().isfinite().all():
            if part > DAMPING:
                _LOG.warning("a Gram matrix of %d inputs took a damping of %g, usual is %g", len(gram), part, DAMPING)
            return lower, part
    raise QuantizationError(
        f"a Gram matrix of {len(gram)} inputs is no mean of squares",
        hint="the model computes infinite or undefined numbers on these recordings: try others, or --rounding rtn",
    )


def damped(gram: torch.Tensor) -> torch.Tensor:
    """The Gram matrix (K, K), float64, with a little of its mean diagonal added: the clips do not tell everything."""
    return damped_by(gram, DAMPING, torch.float64)
