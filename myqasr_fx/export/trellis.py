"""The operators that read trellis strings, of ``ai.onnx`` alone: bytes, shifts, a mask, and one lookup.

A column's string is a row of bytes (``passes.numbers.trellis``). All windows at once::

    Slice of every r-th byte, from several starts -> BitShift(LEFT) -> BitwiseOr     bytes of 8 / k or 8 outputs, joined
    -> BitShift(RIGHT, [0, k, 2 k, …]) -> BitwiseAnd(4095) -> Gather(table)          one window an output

onnxruntime folds that into a constant of levels when it loads the file, and fuses that with its DequantizeLinear and
MatMul. Looked-up rows gather their own three bytes of every column.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from myqasr_fx.export.emitter import Emitter
from passes.numbers.trellis import STATES, Turns


def table_name(bits: int) -> str:
    """Name of the stored levels of strings of ``bits`` a weight."""
    return f"trellis.levels{bits}"


def all_levels(emitter: Emitter, strings: ir.Value, table: ir.Value, size: tuple[int, int, int]) -> ir.Value:
    """(K, n) uint8 levels.

    Args:
        emitter: Of the graph.
        strings: (K, B) uint8.
        table: (4096,) uint8.
        size: K, n, and the bits of a weight.
    """
    cols, rows, bits = size
    turns = Turns.of(rows, bits)
    wide = ir.DataType.UINT32 if turns.word <= 4 else ir.DataType.UINT64
    span, step = (turns.count - 1) * turns.stride + 1, emitter.integers(turns.stride)
    ends = [(emitter.integers(first), emitter.integers(first + span)) for first in range(turns.word)]
    parts = [emitter.op("Slice", strings, *end, emitter.integers(1), step) for end in ends]
    joined = emitter.op("Unsqueeze", _word(emitter, parts, wide), emitter.integers(-1))
    shifts = emitter.constant(np.arange(0, turns.outputs * bits, bits, dtype=wide.numpy()))
    moved = emitter.op("BitShift", joined, shifts, direction="RIGHT")
    found = emitter.reshape(_levels(emitter, moved, wide, table), [cols, turns.count * turns.outputs])
    if turns.count * turns.outputs == rows:
        return found
    return emitter.op("Slice", found, emitter.integers(0), emitter.integers(rows), emitter.integers(1))


def levels_at(emitter: Emitter, strings: ir.Value, table: ir.Value, rows: tuple[ir.Value, int]) -> ir.Value:
    """(K, m) uint8 levels of some outputs.

    Args:
        emitter: Of the graph.
        strings: (K, B) uint8.
        table: (4096,) uint8.
        rows: (m,) int64 outputs, and the bits of a weight.
    """
    indices, bits = rows
    start = emitter.op("Mul", indices, emitter.constant(np.array(bits, np.int64)))
    eight = emitter.constant(np.array(8, np.int64))
    first = emitter.op("Div", start, eight)
    parts = []
    for offset in range(3):
        at = emitter.op("Add", first, emitter.constant(np.array(offset, np.int64))) if offset else first
        parts.append(emitter.op("Gather", strings, at, axis=1))
    wide = ir.DataType.UINT32
    shifts = emitter.cast(emitter.op("Mod", start, eight), wide)
    moved = emitter.op("BitShift", _word(emitter, parts, wide), shifts, direction="RIGHT")
    return _levels(emitter, moved, wide, table)


def _word(emitter: Emitter, parts: Sequence[ir.Value], wide: ir.DataType) -> ir.Value:
    """Bytes as the digits of one number, the lowest first."""
    joined = emitter.cast(parts[0], wide)
    for place, part in enumerate(parts[1:], 1):
        shift = emitter.constant(np.array(8 * place, wide.numpy()))
        digit = emitter.op("BitShift", emitter.cast(part, wide), shift, direction="LEFT")
        joined = emitter.op("BitwiseOr", joined, digit)
    return joined


def _levels(emitter: Emitter, moved: ir.Value, wide: ir.DataType, table: ir.Value) -> ir.Value:
    """What the windows in the lowest bits of some words stand for."""
    window = emitter.op("BitwiseAnd", moved, emitter.constant(np.array(STATES - 1, wide.numpy())))
    return emitter.op("Gather", table, emitter.cast(window, ir.DataType.INT32), axis=0)
