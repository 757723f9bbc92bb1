"""SortRows: rows that are expected to cost much come first, so that a block of rows holds rows of a kind.

Before::

    h = linear(x, W, b);  y = linear(f(h), V, c)                      f acts on each number by itself, such as a GELU

After, for an order P::

    h = linear(x, W[P], b[P]);  y = linear(f(h), V[:, P], c)          meta.SORTED on the first

The function stays the same. ``AllocateBits`` splits such layers into blocks, which may take widths of their own.
Values of an attention are the rows of several heads; an order that keeps each row in its head is as free, and gives the
reader's groups of columns other company.

Source: the order of columns in Frantar et al., "GPTQ" (``act-order`` of its code), here for rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from passes import meta
from passes.base import Fact, Program, ProgramPass
from passes.channel_pairs import ChannelPair, find_pairs, replace_channels
from passes.errors import PassError


@dataclass(frozen=True, slots=True)
class SortRows(ProgramPass):
    """Gives the rows of writers an order of their own, and the columns of their readers the same.

    Args:
        orders: Name of the writer to (N,) int64, the old row that comes at each place.
    """

    orders: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL})

    def run(self, program: Program) -> bool:
        """Replaces weights and biases; other copies of the graphs keep theirs. Sorted layers stay as they are.

        Raises:
            PassError: An order lacks a row, or takes one to another head.
        """
        modified = False
        for pair in find_pairs(program):
            order = self.orders.get(pair.layers[0])
            if order is None or meta.get(pair.writer, meta.SORTED):
                continue
            self._check(pair, order)
            replace_channels(program, pair, order, order)
            modified |= meta.put(pair.writer, meta.SORTED, pair.heads)
        return modified

    def _check(self, pair: ChannelPair, order: Tensor) -> None:
        heads = torch.arange(len(order)).reshape(pair.heads, -1)
        if not torch.equal(order.reshape(pair.heads, -1).sort(-1).values, heads):
            got = f"an order of {len(order)} rows that is none within each of {pair.heads} heads"
            raise PassError(f"{self.name}: layer {pair.layers[0]}: {got}")


def row_order(damage: Tensor, heads: int = 1) -> Tensor:
    """(N,) int64: the rows of each head, the most expensive one first.

    Args:
        damage: (N,) what each row is expected to cost.
        heads: Equal parts that no row leaves.
    """
    order = damage.reshape(heads, -1).sort(dim=-1, descending=True, stable=True).indices
    first = torch.arange(heads).unsqueeze(-1) * order.shape[1]
    return (order + first).reshape(-1)
