"""The rounded activations of a written file: their scales and zero points, and the file without them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx_ir as ir

from myqasr_fx.errors import VerificationError

Rounding = tuple[float, int]
"""Scale, as float32 holds it, and zero point of one rounded activation."""


def roundings(path: Path) -> frozenset[Rounding]:
    """Stored scale and zero point of every pair that rounds an activation and reads it back.

    Raises:
        VerificationError: A pair does not read one and the same scale and zero point.
    """
    found = set()
    for quantize, dequantize in _pairs(ir.load(path)):
        if quantize.op_type == "DynamicQuantizeLinear":
            continue
        stored = [tuple(_number(node.inputs[i], path) for i in (1, 2)) for node in (quantize, dequantize)]
        if stored[0] != stored[1]:
            raise VerificationError(f"{path.name}: an activation is rounded with {stored[0]} and read with {stored[1]}")
        found.add((stored[0][0], int(stored[0][1])))
    return frozenset(found)


def write_without_roundings(path: Path) -> Path:
    """Writes the file with activations left in float beside ``path`` and gives its path."""
    model = ir.load(path)
    pairs = list(_pairs(model))
    for quantize, dequantize in pairs:
        for use, position in list(dequantize.outputs[0].uses()):
            use.replace_input_with(position, quantize.inputs[0])
    model.graph.remove([*(d for _, d in pairs), *dict.fromkeys(q for q, _ in pairs)], safe=True)
    target = path.with_name(f".{path.name}.float_activations")
    ir.save(model, target)
    return target


def _pairs(model: ir.Model) -> Iterator[tuple[ir.Node, ir.Node]]:
    """Every node that rounds an activation with each DequantizeLinear that reads it."""
    for node in list(model.graph):
        if node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear"):
            yield from ((node, reader) for reader in node.outputs[0].consumers())


def _number(value: ir.Value | None, path: Path) -> float:
    if value is None or value.const_value is None or value.const_value.size != 1:
        raise VerificationError(f"{path.name}: the scale or zero point of an activation is not one stored number")
    return float(value.const_value.numpy().item())
