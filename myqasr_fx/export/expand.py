"""Replaces the ``myqasr`` placeholders of an exported model by operators of ``ai.onnx`` alone.

| placeholder | becomes | onnxruntime runs |
| --- | --- | --- |
| DequantizeWeight, matmul form | codes, DequantizeLinear(axis 0, block_size) | MatMulNBits |
| the same, of trellis codes | the same; the product's inputs times gains | Mul, MatMulNBits |
| DequantizeWeight, integer form | int8 codes, DequantizeLinear(axis 1) | an integer product |
| DequantizeWeight, folded form | Cast, Sub, Mul, Transpose | a float constant made at load |
| DequantizeRows | Gather of packed rows, Cast, Sub, Mul | the same, on the looked-up rows |
| DequantizeStrings | Gather of three bytes a column, Gather of levels | the same, once for all blocks |
| QuantizeDequantize | QuantizeLinear, DequantizeLinear | MatMulIntegerToFloat or QLinearMatMul |
| QuantizeDynamic | DynamicQuantizeLinear, DequantizeLinear | DynamicQuantizeMatMul or MatMulIntegerToFloat |
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from myqasr_fx.errors import ExportError
from myqasr_fx.export.dequantize import READERS, rows
from myqasr_fx.export.emitter import Emitter
from myqasr_fx.export.placeholders import (
    DEQUANTIZE_ROWS,
    DEQUANTIZE_STRINGS,
    DEQUANTIZE_WEIGHT,
    DOMAIN,
    QUANTIZE_DEQUANTIZE,
    QUANTIZE_DYNAMIC,
)
from myqasr_fx.export.stored_weight import StoredWeight, WeightReader
from myqasr_fx.export.string_rows import string_rows
from passes.graph.naming import free_name
from passes.lowering.qdq_ops import FORM_INTEGER, FORM_MATMUL


def expand_placeholders(model: ir.Model) -> ir.Model:
    """Rewrites ``model`` in place until no ``myqasr`` node is left.

    Raises:
        ExportError: A placeholder is of no known kind, or reads something that is not stored.
    """
    emitter = Emitter(model.graph)
    placeholders = [node for node in model.graph if node.domain == DOMAIN]
    readers = _readers(emitter, placeholders)
    for node in placeholders:
        own = [readers[block.tensors] for block in _blocks(node)]
        for use, position in list(node.outputs[0].uses()):
            emitter.before(node, own[0].weight.name if own else "")
            use.replace_input_with(position, _weight(own, node) if own else _activation(emitter, node))
            if _form(node) == FORM_MATMUL:
                _multiply_by_gains(own[0], use)
        model.graph.remove(node, safe=True)
    model.opset_imports.pop(DOMAIN, None)
    return model


_Tensors = tuple[ir.Value | None, ...]
_ACTIVATIONS = (QUANTIZE_DEQUANTIZE, QUANTIZE_DYNAMIC)
_TENSORS = 5


class _Block(NamedTuple):
    """What a weight placeholder reads of one block.

    Args:
        tensors: Packed codes, scales, zero points (or None), table and gains of a trellis (or None).
        bits: Width.
        shape: The weight's own.
    """

    tensors: _Tensors
    bits: int
    shape: tuple[int, ...]


def _blocks(node: ir.Node) -> list[_Block]:
    """Those that a placeholder reads; none where it rounds activations."""
    if node.op_type in _ACTIVATIONS:
        return []
    if node.op_type == DEQUANTIZE_STRINGS:
        stored = [tuple(node.inputs[start : start + _TENSORS]) for start in range(1, len(node.inputs), _TENSORS)]
        bits, rows = node.attributes["bits"].as_ints(), node.attributes["rows"].as_ints()
        cols = node.attributes["cols"].as_int()
        return [_Block(own, width, (size, cols)) for own, width, size in zip(stored, bits, rows, strict=True)]
    tensors = (*node.inputs[node.op_type == DEQUANTIZE_ROWS :], *[None] * _TENSORS)[:_TENSORS]
    return [_Block(tensors, node.attributes["bits"].as_int(), tuple(node.attributes["shape"].as_ints()))]


def _readers(emitter: Emitter, nodes: Sequence[ir.Node]) -> dict[_Tensors, WeightReader]:
    """One reader a weight, in place of the initializers that hold it now.

    The exporter may have merged equal tensors of different layers: only all together they tell a weight.
    """
    weights: dict[_Tensors, StoredWeight] = {}
    for node in nodes:
        for block in _blocks(node):
            if block.tensors not in weights:
                weights[block.tensors] = _stored(node, block, {weight.name for weight in weights.values()})
    for value in {value for tensors in weights for value in tensors if value is not None}:
        emitter.graph.initializers.pop(value.name or "", None)
    return {tensors: WeightReader(emitter, weight) for tensors, weight in weights.items()}


def _stored(node: ir.Node, block: _Block, taken: Set[str]) -> StoredWeight:
    """The block that ``node`` reads, under a name that is not ``taken``."""
    packed, scale, zero_point, table, gains = block.tensors
    if packed is None or scale is None or packed.const_value is None or scale.const_value is None or not packed.name:
        raise ExportError(f"{node.name}: codes and scales must be stored in the graph")
    kernels = (FORM_MATMUL, FORM_INTEGER)
    readings = [reading for use in packed.consumers() for reading in use.outputs[0].uses()]
    return StoredWeight(
        name=free_name(packed.name.removesuffix("_packed").replace(".weight_block", "."), taken),
        bits=block.bits,
        shape=block.shape,
        packed=packed.const_value.numpy(),
        scale=scale.const_value.numpy(),
        zero_point=None if zero_point is None or zero_point.const_value is None else zero_point.const_value.numpy(),
        plain=len(readings) > 1 or _form(node) not in kernels,
        table=None if table is None or table.const_value is None else table.const_value.numpy(),
        gains=None if gains is None or gains.const_value is None else gains.const_value.numpy(),
    )


def _form(node: ir.Node) -> str:
    """The form in which a placeholder wants the weight; empty for looked-up rows."""
    return node.attributes["form"].as_string() if node.op_type == DEQUANTIZE_WEIGHT else ""


def _weight(readers: Sequence[WeightReader], node: ir.Node) -> ir.Value:
    """The operators of a weight placeholder."""
    indices = node.inputs[0]
    if node.op_type == DEQUANTIZE_ROWS and indices is not None:
        return rows(readers[0], indices)
    if node.op_type == DEQUANTIZE_STRINGS and indices is not None:
        return string_rows(readers, indices)
    if node.op_type != DEQUANTIZE_WEIGHT:
        raise ExportError(f"{node.name}: placeholder {node.op_type} cannot be expanded")
    form = node.attributes["form"].as_string()
    if form not in READERS:
        raise ExportError(f"{node.name}: form {form!r}, expected one of {', '.join(READERS)}")
    return READERS[form](readers[0])


def _multiply_by_gains(reader: WeightReader, product: ir.Node) -> None:
    """Inputs of a product take the gains of a trellis, whose levels are all that a kernel multiplies with."""
    reader.emitter.before(product, reader.weight.name)
    gains = reader.gains()
    if gains is not None:
        product.replace_input_with(0, reader.emitter.op("Mul", product.inputs[0], gains))


def _activation(emitter: Emitter, node: ir.Node) -> ir.Value:
    """A pair that rounds to unsigned 8 bits and back, with stored scales or those of each call."""
    if node.op_type == QUANTIZE_DYNAMIC:
        return emitter.op("DequantizeLinear", *emitter.ops("DynamicQuantizeLinear", node.inputs[0], outputs=3))
    bits = node.attributes["bits"].as_int()
    if bits != 8:
        raise ExportError(f"{bits}-bit activations cannot be exported", hint="use 8; other widths evaluate in torch")
    scale = emitter.constant(np.array(node.attributes["scale"].as_float(), np.float32))
    zero_point = emitter.byte(node.attributes["zero_point"].as_int())
    quantized = emitter.op("QuantizeLinear", node.inputs[0], scale, zero_point)
    return emitter.op("DequantizeLinear", quantized, scale, zero_point)
