"""A block of columns, one after the other, of which each takes up what those before it got wrong.

With ``e`` the errors of B columns of n weights::

    value_i = Q(base_i - sum_{j < i} share_ij e_j)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from passes.rounding.snap import Snap


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Columns that wait for their values.

    Args:
        columns: Their B places in the weight.
        bases: (B, n).
        shares: (B, B); what is not below the diagonal is not read.
        pivots: (B,): an error is what a value lacks of what it should be, divided by this.
        values: (B, n) contiguous, that the columns have so far and that are replaced: an error is what the new ones
            lack of them. One of the two is None.
    """

    columns: Sequence[int]
    bases: Tensor
    shares: Tensor
    pivots: Tensor | None = None
    values: Tensor | None = None

    def part(self, start: int, stop: int, errors: Tensor) -> Block:
        """Some of the columns, with what those before them got wrong taken off.

        Args:
            start: The first.
            stop: One past the last.
            errors: (B, n), known below ``start``.
        """
        if stop - start == len(self.columns):
            return self
        here, bases = slice(start, stop), self.bases[start:stop]
        if start:
            bases = torch.addmm(bases, self.shares[here, :start], errors[:start], alpha=-1)
        pivots, values = self.pivots, self.values
        return Block(
            self.columns[here],
            bases,
            self.shares[here, here],
            None if pivots is None else pivots[here],
            None if values is None else values[here],
        )


Walk = Callable[[Block], Tensor]
"""Chooses the values of a block, and gives their (B, n) errors."""


def walked(block: Block, snap: Snap) -> Tensor:
    """A :data:`Walk` where a column takes what ``snap`` gives."""
    errors, pivots, values = torch.empty_like(block.bases), block.pivots, block.values
    for i, (column, base) in enumerate(zip(block.columns, block.bases, strict=True)):
        wanted = torch.addmv(base, errors[:i].t(), block.shares[i, :i], alpha=-1)
        found = snap(column, wanted)
        torch.sub(wanted if values is None else values[i], found, out=errors[i])
        if pivots is not None:
            errors[i] /= pivots[i]
        if values is not None:
            values[i] = found
    return errors
