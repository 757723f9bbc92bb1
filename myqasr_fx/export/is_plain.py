"""Whether a graph can be translated as it stands: nothing to decompose, no type to promote.

``torch.onnx.export`` traces every program once more to decompose it and interprets it once more to promote its types.
Graphs of the compiler seldom hold anything that needs either.
"""

from __future__ import annotations

from collections.abc import Container

import torch
from torch import fx
from torch.utils._pytree import tree_leaves

import passes.lowering.qdq_ops  # noqa: F401  registers the operators named below

aten = torch.ops.aten

_MIXED = frozenset(
    {
        *(aten.embedding.default, aten.index.Tensor, aten.gather.default),
        *(aten.to.dtype, aten._to_copy.default, aten.masked_fill.Scalar),
        *(torch.ops.myqasr.dequantize_weight.default, torch.ops.myqasr.dequantize_rows.default),
    }
)
"""Operators over tensors of several types that promote none."""

_CHOICES = frozenset({aten.where.self, aten.where.ScalarOther})
"""Operators whose first tensor only tells which of the others counts."""


def is_decomposed(graph: fx.Graph, translated: Container[object], table: Container[object]) -> bool:
    """Whether the exporter translates every operator.

    Args:
        graph: Of an exported program.
        translated: Operators that it has a translation for.
        table: Operators that it decomposes; leaves out some composites.
    """
    return not any(_is_to_decompose(node, translated, table) for node in graph.nodes)


def is_promoted(graph: fx.Graph) -> bool:
    """Whether no operator converts what it is given; every node but the result has its ``val``."""
    return not any(_may_promote(node) for node in graph.nodes)


def _is_to_decompose(node: fx.Node, translated: Container[object], table: Container[object]) -> bool:
    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return False
    if node.target._schema.is_mutable or node.target in table:
        return True
    composite = node.target.has_kernel_for_dispatch_key(torch._C.DispatchKey.CompositeImplicitAutograd)
    return composite and node.target not in translated


def _may_promote(node: fx.Node) -> bool:
    """Its tensors are of several types, or something among its arguments or in its result is of a higher kind."""
    if node.target in _MIXED or not isinstance(node.target, torch._ops.OpOverload):
        return False
    sources = [source for source in node.all_input_nodes if node.target not in _CHOICES or source is not node.args[0]]
    given = {value.dtype for source in sources for value in _tensors(source)}
    if len(given) != 1 or next(iter(given)).is_floating_point:
        return len(given) > 1
    numbers = [value for value in tree_leaves((node.args, node.kwargs)) if not isinstance(value, fx.Node)]
    made = {value.dtype for value in _tensors(node)}
    return any(isinstance(number, float) for number in numbers) or not made <= given | {torch.bool}


def _tensors(node: fx.Node) -> list[torch.Tensor]:
    return [value for value in tree_leaves(node.meta["val"]) if isinstance(value, torch.Tensor)]
