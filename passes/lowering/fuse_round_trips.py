"""``FuseRoundTrips``: an activation's rounding in one call that stays in the cache.

Before::

    %q = clamp(round(%x / scale) + zero_point, 0, top)     # six operators, each through all of memory
    %y = (%q - zero_point) * scale

After::

    %y = there_and_back(%x, scale, zero_point, top)

Every value sees the same six operations in the same order, so the result is the same bit for bit. The graph can only be
run then, and without gradients; ``torch.compile`` and ``torch.export.save`` may refuse the Python function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import fx

from passes.base import Fact, GraphPass
from passes.graph.graph_edit import call

aten = torch.ops.aten

_CHUNK = 1 << 15  # floats: two such buffers fit into the second-level cache of a core


@dataclass(frozen=True, slots=True)
class FuseRoundTrips(GraphPass):
    """Replaces every chain that ``LowerToFakeQuant`` wrote for an activation with a calibrated range."""

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.FAKE_QUANT})

    def run_graph(self, module: fx.GraphModule) -> bool:
        """Rewrites ``module`` in place; True when a chain was found."""
        found = [(node, trip) for node in module.graph.nodes if (trip := _round_trip(node)) is not None]
        for last, trip in found:
            with module.graph.inserting_before(last):
                fused = call(module.graph, there_and_back, *trip, like=last)
            last.replace_all_uses_with(fused)
        if found:
            module.graph.eliminate_dead_code()
        return bool(found)


def there_and_back(value: torch.Tensor, scale: float, zero_point: int, top: int) -> torch.Tensor:
    """``(clip(round_half_even(value / scale) + zero_point, 0, top) - zero_point) * scale``.

    Args:
        value: Floats of any shape.
        scale: Distance of neighbouring codes.
        zero_point: Code of 0.
        top: Largest code.

    Returns:
        A tensor of the shape and memory layout of ``value``.
    """
    result = torch.empty_like(value)
    dense = result.stride() == value.stride()  # else values repeat or leave gaps in memory
    pieces = [
        tensor.as_strided((tensor.numel(),), (1,)).split(_CHUNK) if dense else (tensor,) for tensor in (value, result)
    ]
    for x, y in zip(*pieces, strict=True):
        torch.div(x, scale, out=y)
        y.round_().add_(zero_point).clamp_(0, top).sub_(zero_point).mul_(scale)
    return result


def _round_trip(last: fx.Node) -> tuple[fx.Node, float, int, int] | None:
    """The value, scale, zero point and largest code of a chain that ends in ``last``, which alone leaves it."""
    steps = (aten.mul.Tensor, aten.sub.Tensor, aten.clamp.default, aten.add.Tensor, aten.round.default, aten.div.Tensor)
    chain, node = list[fx.Node](), last
    for target in steps:
        if node.op != "call_function" or node.target is not target or node.kwargs or (chain and len(node.users) != 1):
            return None
        chain.append(node)
        if not isinstance(node.args[0], fx.Node):
            return None
        node = node.args[0]
    (scale, subtracted), (low, top), (added, divisor) = (
        (chain[0].args[1], chain[1].args[1]),
        (chain[2].args[1], chain[2].args[-1]),
        (chain[3].args[1], chain[5].args[1]),
    )
    if not isinstance(scale, float) or not isinstance(added, int) or not isinstance(top, int):
        return None
    same = scale == divisor and added == subtracted and low == 0 and len(chain[2].args) == 3
    return (node, scale, added, top) if same else None
