"""The oldest opset and the oldest onnxruntime that a file needs.

The releases were found by loading small files, and bundles of this project, with onnxruntime 1.20.1, 1.21.1, 1.22.1,
1.23.2, 1.24.1, 1.25.0, 1.26.0, 1.28.0, 1.30.0 and 1.32.0: one that is named is the oldest of these that does it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import onnx
from onnx import defs

from myqasr_fx.lint.tensors import bit_width, graphs, is_low_bit, stored_tensors

OLDEST_TRIED = (1, 20)

RUNTIME_OF_OPSET: Mapping[int, tuple[int, int]] = MappingProxyType(
    {21: (1, 20), 22: (1, 21), 23: (1, 23), 24: (1, 24), 25: (1, 24), 26: (1, 25), 27: (1, 32), 28: (1, 32)}
)
"""Newest opset to the oldest release that loads it; older opsets need no release of their own."""

RUNTIME_OF_IR: Mapping[int, tuple[int, int]] = MappingProxyType(
    {10: (1, 20), 11: (1, 23), 12: (1, 24), 13: (1, 24), 14: (1, 32)}
)

FUSED_4_BITS, FUSED_OTHER, CAST_4_BITS = (1, 22), (1, 25), (1, 23)
"""Groups of 4 bits run fused, groups of 8 and 2 bits do, and a cast to 4 bits is known."""

_BLOCKS, _FOUR_BITS, _TWO_BITS = 21, 21, 25


def min_opset(model: onnx.ModelProto) -> int:
    """The oldest version of ``ai.onnx`` that has every operator, element type and block size of the model."""
    needed = 1
    for node in _nodes(model):
        if node.domain in ("", "ai.onnx"):
            needed = max(needed, _since(node.op_type), _BLOCKS if block_size(node) else 1)
    widths = {bit_width(tensor) for tensor in stored_tensors(model.graph).values() if is_low_bit(tensor)}
    widths |= {4 for node in _nodes(model) if _casts_to_4_bits(node)}
    return max(needed, _TWO_BITS if 2 in widths else 1, _FOUR_BITS if 4 in widths else 1)


def min_runtime(model: onnx.ModelProto, opset: int | None) -> str:
    """The oldest release tried that loads the model and fuses what this one fuses.

    Args:
        model: The file.
        opset: That it declares.
    """
    needed = [OLDEST_TRIED, _at_most(RUNTIME_OF_OPSET, opset or 0), _at_most(RUNTIME_OF_IR, model.ir_version)]
    stored = stored_tensors(model.graph)
    casts = {name for node in _nodes(model) if _casts_to_4_bits(node) for name in node.output}
    for node in _nodes(model):
        if node.op_type == "DequantizeLinear" and block_size(node):
            tensor = stored.get(node.input[0])
            four = node.input[0] in casts or (tensor is not None and bit_width(tensor) == 4)
            needed.append(FUSED_4_BITS if four else FUSED_OTHER)
    if casts:
        needed.append(CAST_4_BITS)
    return ".".join(map(str, max(needed)))


def block_size(node: onnx.NodeProto) -> int:
    """Numbers that share a scale; 0 where the operator has no blocks."""
    return next((attribute.i for attribute in node.attribute if attribute.name == "block_size"), 0)


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    return (node for graph in graphs(model.graph) for node in graph.node)


def _since(op_type: str) -> int:
    """The first opset with an operator; 1 for one that onnx does not know."""
    versions = [schema.since_version for schema in _schemas(op_type)]
    return min(versions, default=1)


def _schemas(op_type: str) -> list[defs.OpSchema]:
    found, version = [], defs.onnx_opset_version()
    while version > 0 and defs.has(op_type, version, ""):
        schema = defs.get_schema(op_type, version, "")
        found.append(schema)
        version = schema.since_version - 1
    return found


def _casts_to_4_bits(node: onnx.NodeProto) -> bool:
    kinds = (onnx.TensorProto.UINT4, onnx.TensorProto.INT4)
    return node.op_type == "Cast" and any(a.name == "to" and a.i in kinds for a in node.attribute)


def _at_most(table: Mapping[int, tuple[int, int]], key: int) -> tuple[int, int]:
    """Entry of the first key that is not below ``key``; the newest one beyond them."""
    return next((release for known, release in sorted(table.items()) if known >= key), max(table.values()))
