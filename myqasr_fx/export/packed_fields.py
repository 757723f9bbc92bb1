"""The operators that unpack fields of several codes a byte (``passes.numbers.packing``)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import onnx_ir as ir

from myqasr_fx.errors import ExportError
from myqasr_fx.export.emitter import Emitter
from passes.numbers.packing import PackedField


def unpack_fields(emitter: Emitter, fields: Sequence[tuple[PackedField, ir.Value]], shape: Sequence[int]) -> ir.Value:
    """Operators that join packed fields into uint8 codes of ``shape`` (at most one -1)."""
    codes: ir.Value | None = None
    for field, value in fields:
        part = _unpack_field(emitter, field, value, shape)
        codes = part if codes is None else emitter.op("BitwiseOr", codes, part)
    if codes is None:
        raise ExportError("a weight without packed fields")
    return codes


def _unpack_field(emitter: Emitter, field: PackedField, value: ir.Value, shape: Sequence[int]) -> ir.Value:
    """Codes of one field, shifted to their place."""
    if field.width == 8:
        return emitter.reshape(value, shape)
    rank = 1 if value.const_value is not None and len(value.const_value.shape) == 1 else 2
    shifts = np.arange(0, 8, field.width, dtype=np.uint8).reshape(-1, *[1] * rank)
    codes = emitter.op("BitShift", value, emitter.constant(shifts), direction="RIGHT")
    codes = emitter.op("BitwiseAnd", codes, emitter.byte((1 << field.width) - 1))
    count = prod(shape)
    if count > 0 and field.data.size * 8 // field.width != count:
        codes = emitter.op("Slice", emitter.reshape(codes, [-1]), emitter.integers(0), emitter.integers(count))
    codes = emitter.reshape(codes, shape)
    return emitter.op("BitShift", codes, emitter.byte(field.offset), direction="LEFT") if field.offset else codes
