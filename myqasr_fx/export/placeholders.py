"""Carries the ``myqasr::`` operators of a lowered graph through ``torch.onnx.export`` one to one.

Each becomes one node of the domain ``myqasr``, which ``expand`` then replaces by standard operators. The detour keeps
the exporter's optimizer from folding packed weights back into floats, and gives the expansion control over element
types that torch has no dtype for (INT4, UINT4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnx.defs import OpSchema
from onnxscript import values

import passes.lowering.qdq_ops  # noqa: F401  registers the operators translated below

DOMAIN = "myqasr"
DEQUANTIZE_WEIGHT = "DequantizeWeight"
DEQUANTIZE_ROWS = "DequantizeRows"
DEQUANTIZE_STRINGS = "DequantizeStrings"
"""Lookups in several blocks: a translation knows them as lookups in one (``outline``)."""

QUANTIZE_DEQUANTIZE = "QuantizeDequantize"
QUANTIZE_DYNAMIC = "QuantizeDynamic"

_OPTIONAL = OpSchema.FormalParameterOption.Optional
_OPSET = values.Opset(DOMAIN, 1)


def _parameter(name: str, kind: str, optional: bool = False) -> OpSchema.FormalParameter:
    """An input of a placeholder."""
    if optional:
        return OpSchema.FormalParameter(name, kind, param_option=_OPTIONAL)
    return OpSchema.FormalParameter(name, kind)


def _placeholder(name: str, *inputs: OpSchema.FormalParameter, **attributes: OpSchema.AttrType) -> values.Op:
    """An operator of our domain with one float output."""
    outputs = [OpSchema.FormalParameter("y", "tensor(float)")]
    stored = [OpSchema.Attribute(key, kind) for key, kind in attributes.items()]
    schema = OpSchema(name, DOMAIN, 1, inputs=list(inputs), outputs=outputs, attributes=stored)
    return values.Op(_OPSET, name, schema)


def _weights() -> tuple[OpSchema.FormalParameter, ...]:
    """What a weight is stored as."""
    optional = {"zero_point": "tensor(uint8)", "table": "tensor(uint8)", "gains": "tensor(float16)"}
    return (
        _parameter("packed", "tensor(uint8)"),
        _parameter("scale", "tensor(float16)"),
        *(_parameter(name, kind, optional=True) for name, kind in optional.items()),
    )


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Table for ``torch.onnx.export(custom_translation_table=…)``."""
    kinds, weights = OpSchema.AttrType, _weights()
    indices, x = _parameter("indices", "tensor(int64)"), _parameter("x", "tensor(float)")
    weight_op = _placeholder(DEQUANTIZE_WEIGHT, *weights, bits=kinds.INT, shape=kinds.INTS, form=kinds.STRING)
    rows_op = _placeholder(DEQUANTIZE_ROWS, indices, *weights[:3], bits=kinds.INT, shape=kinds.INTS)
    activation_op = _placeholder(QUANTIZE_DEQUANTIZE, x, scale=kinds.FLOAT, zero_point=kinds.INT, bits=kinds.INT)

    dynamic_op = _placeholder(QUANTIZE_DYNAMIC, x)

    def weight(
        packed: Any,
        scale: Any,
        zero_point: Any = None,
        bits: int = 8,
        shape: Sequence[int] = (),
        form: str = "",
        table: Any = None,
        gains: Any = None,
    ) -> Any:
        return weight_op(packed, scale, zero_point, table, gains, bits=bits, shape=list(shape), form=form)

    def rows(
        indices: Any,
        packed: Any,
        scale: Any,
        zero_point: Any = None,
        bits: int = 8,
        shape: Sequence[int] = (),
    ) -> Any:
        return rows_op(indices, packed, scale, zero_point, bits=bits, shape=list(shape))

    def activation(x: Any, scale: float = 1.0, zero_point: int = 0, bits: int = 8) -> Any:
        return activation_op(x, scale=scale, zero_point=zero_point, bits=bits)

    def dynamic(x: Any) -> Any:
        return dynamic_op(x)

    ops = torch.ops.myqasr
    return {
        ops.dequantize_weight.default: weight,
        ops.dequantize_rows.default: rows,
        ops.quantize_dequantize.default: activation,
        ops.quantize_dynamic.default: dynamic,
    }
