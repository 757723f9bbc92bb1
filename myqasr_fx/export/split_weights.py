"""Weights stored in blocks of several widths: one product in an outline, a product a block in the file.

Where a layer is divided differs between users and between attempts at a budget; what surrounds it does not. A
translation sees::

    %y = aten.matmul(%x, dequantize_weight(%packed0, …, (N, K)))

in place of ``aten.cat([aten.matmul(%x, dequantize_weight(%packed0, …, (n0, K))), …], -1)``, and one folded weight in
place of ``aten.cat([dequantize_weight(…), …])``. The blocks are put into what it gives, operator by operator as torch
would have translated them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
import torch
from torch import fx

from passes.lowering.qdq_ops import FORM_INTEGER, FORM_MATMUL

aten = torch.ops.aten
_DEQUANTIZE = torch.ops.myqasr.dequantize_weight.default


@dataclass(frozen=True, slots=True)
class Part:
    """A block of a weight.

    Args:
        packed: Name of its codes.
        shape: (n, …), as the weight's own.
    """

    packed: str
    shape: tuple[int, ...]


def join_parts(graph: fx.Graph) -> Iterator[tuple[Part, ...]]:
    """Makes one of the blocks of each weight, under the first block's name, and gives the blocks.

    Args:
        graph: Changed in place. What a weight that is read twice, lookups apart, is made of stays.
    """
    readers = Counter(_packed(node) for node in graph.find_nodes(op="call_function", target=_DEQUANTIZE))
    for joined in graph.find_nodes(op="call_function", target=aten.cat.default):
        pieces, *dims = joined.args
        weights = [_weight(piece, pieces[0], -1 if dims == [-1] else 0) for piece in pieces]
        if not all(weight is not None and readers[_packed(weight)] == 1 for weight in weights):
            continue
        yield tuple(Part(_packed(weight), tuple(weight.args[4])) for weight in weights)
        _join(joined, pieces[0], weights)


def divide(graph: ir.Graph, weight: ir.Node, parts: Sequence[Part]) -> list[ir.Node]:
    """Puts the blocks of a weight in place of the one that was translated.

    Args:
        graph: Changed in place.
        weight: The placeholder of the whole weight.
        parts: The blocks.

    Returns:
        The placeholder of each block.
    """
    ((reader, _), *_) = weight.outputs[0].uses()
    product = reader if weight.attributes["form"].as_string() in (FORM_MATMUL, FORM_INTEGER) else None
    last, placeholders, pieces = product or weight, [], []
    for part in parts:
        attributes = {**weight.attributes, "shape": ir.AttrInt64s("shape", part.shape)}
        own = ir.Node(weight.domain, weight.op_type, weight.inputs, attributes.values(), name=part.packed)
        graph.insert_before(last, own)
        placeholders.append(own)
        pieces.append(own.outputs[0])
        if product is not None:
            piece = ir.node(product.op_type, [product.inputs[0], own.outputs[0]])
            graph.insert_before(last, piece)
            pieces[-1] = piece.outputs[0]
    whole = ir.node("Concat", pieces, attributes={"axis": 0 if product is None else -1})
    graph.insert_before(last, whole)
    result, before = whole.outputs[0], last.outputs[0]
    if before.is_graph_output():
        result.name, result.type, result.shape = before.name, before.type, before.shape
    ir.convenience.replace_all_uses_with(before, result, replace_graph_outputs=True)
    graph.remove([node for node in (product, weight) if node is not None], safe=True)
    return placeholders


def _weight(piece: fx.Node, first: fx.Node, dim: int) -> Any:
    """The block that is one piece of a weight, or the factor of one piece of a product; None where it is neither."""
    if dim == 0:
        return _block(piece)
    if piece.target is not aten.matmul.default or piece.args[0] is not first.args[0] or len(piece.users) > 1:
        return None
    return _block(piece.args[1])


def _block(node: Any) -> Any:
    """A node that reads codes and that one other reads."""
    return node if isinstance(node, fx.Node) and node.target is _DEQUANTIZE and len(node.users) == 1 else None


def _packed(weight: Any) -> str:
    return str(weight.args[0].target)


def _join(joined: fx.Node, piece: fx.Node, weights: Sequence[Any]) -> None:
    """Lets ``piece`` stand for all."""
    first, shapes = weights[0], [weight.args[4] for weight in weights]
    first.args = (*first.args[:4], [sum(shape[0] for shape in shapes), *shapes[0][1:]], *first.args[5:])
    first.meta.pop("val", None)
    piece.meta.pop("val", None)
    if "val" in joined.meta:
        piece.meta["val"] = joined.meta["val"]
    joined.replace_all_uses_with(piece)
    joined.graph.erase_node(joined)
