"""``LateConstants``: what a graph computes from its own tensors alone is computed right before it is read.

Before::

    %w0 = (float32(%codes0) - %zero_point0) * %scale0      # all floats at once, at the begin of a run
    %w1 = (float32(%codes1) - %zero_point1) * %scale1
    %y = aten.linear(%x, %w0, %b0)
    %z = aten.linear(%y, %w1, %b1)

After::

    %w0 = (float32(%codes0) - %zero_point0) * %scale0
    %y = aten.linear(%x, %w0, %b0)
    %w1 = (float32(%codes1) - %zero_point1) * %scale1
    %z = aten.linear(%y, %w1, %b1)

A run of a fake-quantized model then holds the floats of one layer at a time: a graph forgets a value behind its last
reader. ``FoldConstants`` spends the memory to spare the time.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import ClassVar

from torch import fx

from passes.base import Fact, GraphPass
from passes.lowering.fold_constants import computed_constants


@dataclass(frozen=True, slots=True)
class LateConstants(GraphPass):
    """Moves every call that depends on no input to the first node that reads it."""

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.FAKE_QUANT})

    def run_graph(self, module: fx.GraphModule) -> bool:
        """Rewrites ``module`` in place; True when a node moved."""
        constants = computed_constants(module.graph)
        still = {*constants, *module.graph.find_nodes(op="get_attr")}
        modified = False
        for node in reversed(constants):
            first = min(node.users, default=None)
            if first is not None and not _is_before(node, first, still):
                first.prepend(node)
                modified = True
        return modified


def _is_before(node: fx.Node, first: fx.Node, still: Set[fx.Node]) -> bool:
    """Nothing but constants lies between a node and its first reader."""
    after = node.next
    while after is not first and after in still:
        after = after.next
    return after is first
