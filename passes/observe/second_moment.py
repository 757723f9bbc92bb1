"""Sums of outer products of rows: a symmetric matrix, of which the upper blocks are computed, and copied at the end."""

from __future__ import annotations

from torch import Tensor

BLOCK = 256
"""Columns of a block: so many that products run at full speed, so few that little below the diagonal is computed."""


def upper_moment(rows: Tensor, into: Tensor | None = None) -> Tensor:
    """Adds ``x^T x`` of rows x (T, K) to the blocks on and above the diagonal; those below stay as they are.

    Args:
        rows: x.
        into: (K, K) sum so far, changed; None begins one.

    Returns:
        The sum.
    """
    total = rows.new_zeros(rows.shape[1], rows.shape[1]) if into is None else into
    for start in range(0, len(total), BLOCK):
        part = slice(start, start + BLOCK)
        total[part, start:].addmm_(rows[:, part].T, rows[:, start:])
    return total


def whole_moment(upper: Tensor) -> Tensor:
    """(K, K) with the blocks below the diagonal, of a sum made by :func:`upper_moment`, which is changed."""
    for start in range(BLOCK, len(upper), BLOCK):
        rows = slice(start, start + BLOCK)
        upper[rows, :start] = upper[:start, rows].T
    return upper
