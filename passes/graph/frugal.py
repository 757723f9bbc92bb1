"""A copy of a graph to be run in torch that holds and copies no more than it must.

Results that nobody asks for go as soon as the graph itself no longer reads them, and what is joined with nothing stays
what it is: a decoder hands on the keys and values of its cross-attention, hundreds of megabytes, at every token.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, fx

from passes.clone import clone
from passes.graph import ops

_CAT = torch.ops.aten.cat.default


def frugal(module: fx.GraphModule, results: Sequence[int]) -> fx.GraphModule:
    """A copy over the same tensors and modules that gives a tuple of some results, bit for bit.

    Args:
        module: Captured, observed or lowered graph.
        results: Positions of the results to give.
    """
    copied = clone(module)
    (output,) = copied.graph.find_nodes(op="output")
    every = output.args[0] if isinstance(output.args[0], (list, tuple)) else (output.args[0],)
    output.args = (tuple(every[position] for position in results),)
    if not any(ops.mutates(node) for node in copied.graph.nodes):  # one that writes into a value needs one of its own
        for node in copied.graph.find_nodes(op="call_function", target=_CAT):
            node.target = _joined
    copied.recompile()
    return copied


def _joined(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """``aten.cat``; the first tensor itself where the others add nothing to it."""
    first, *others = tensors
    alike = all(other.ndim == first.ndim and not other.shape[dim] for other in others)
    if alike and first.shape[dim] and first.is_contiguous():
        return first
    joined: Tensor = _CAT(tensors, dim)
    return joined
