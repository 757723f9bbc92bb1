"""Stored tensors of a graph, and which of them a computed value comes from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import onnx
import onnx_ir as ir

_LOW_BIT = frozenset(
    {
        ir.DataType.INT8,
        ir.DataType.UINT8,
        ir.DataType.INT4,
        ir.DataType.UINT4,
        ir.DataType.INT2,
        ir.DataType.UINT2,
    }
)


def bit_width(tensor: onnx.TensorProto) -> int:
    """Bits of an element."""
    return int(ir.DataType(tensor.data_type).bitwidth)


def num_elements(tensor: onnx.TensorProto) -> int:
    """Elements of a tensor."""
    return math.prod(tensor.dims)


def num_bytes(tensor: onnx.TensorProto) -> int:
    """Bytes of a tensor, wherever it is stored; text counts nothing."""
    if tensor.data_type == onnx.TensorProto.STRING:
        return 0
    return -(-num_elements(tensor) * bit_width(tensor) // 8)


def is_low_bit(tensor: onnx.TensorProto) -> bool:
    """True for integers of at most 8 bits, packed ones included; single numbers are none."""
    return ir.DataType(tensor.data_type) in _LOW_BIT and num_elements(tensor) > 1


def is_float(tensor: onnx.TensorProto) -> bool:
    """True for floating-point tensors."""
    return ir.DataType(tensor.data_type).is_floating_point()


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and the branches and bodies in it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from graphs(inner)


def stored_tensors(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """Name to tensor of all initializers and constants, those of branches included."""
    found = {}
    for each in graphs(graph):
        found.update({tensor.name: tensor for tensor in each.initializer})
        for node in each.node:
            for attribute in node.attribute:
                if node.op_type == "Constant" and attribute.name == "value":
                    found[node.output[0]] = attribute.t
    return found


def origins(graph: onnx.GraphProto, stored: Mapping[str, onnx.TensorProto]) -> dict[str, frozenset[str]]:
    """Name of every value that no input changes, to the stored tensors that it is computed from."""
    found = {name: frozenset({name}) for name in stored}
    for each in graphs(graph):
        given = {value.name for value in each.input} - set(stored)
        for node in each.node:
            inputs = [name for name in node.input if name]
            if node.op_type.startswith("Random") or any(name in given or name not in found for name in inputs):
                continue
            roots = frozenset().union(*(found[name] for name in inputs))
            found.update({name: roots for name in node.output if name and name not in found})
    return found
