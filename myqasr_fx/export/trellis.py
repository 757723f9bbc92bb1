"""The operators that read trellis strings, of ``ai.onnx`` alone: bytes, shifts, a mask, and one lookup.

A column's string is a row of bytes (``passes.numbers.trellis``). All windows at once::

    Slice of every r-th byte, from several starts -> BitShift(LEFT) -> BitwiseOr     bytes of 8 / k or 8 outputs, joined
    -> BitShift(RIGHT, [0, k, 2 k, …]) -> BitwiseAnd(4095) -> Gather(table)          one window an output
    -> Sub(128) -> Mul(gain of the column) -> Round -> Add(128)                      its level

onnxruntime folds that into a constant of levels when it loads the file, and fuses that with its DequantizeLinear and
MatMul. Looked-up rows gather their own three bytes of every column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from myqasr_fx.export.emitter import Emitter
from passes.numbers.trellis import MIDDLE, STATES, Turns


class Trellis(NamedTuple):
    """What levels are read from.

    Args:
        strings: (K, B) uint8.
        table: (4096,) uint8.
        gains: (K, 1) float32.
    """

    strings: ir.Value
    table: ir.Value
    gains: ir.Value


def table_name(bits: int) -> str:
    """Name of the stored levels of strings of ``bits`` a weight."""
    return f"trellis.levels{bits}"


def all_levels(emitter: Emitter, trellis: Trellis, size: tuple[int, int, int]) -> ir.Value:
    """(K, n) uint8 levels.

    Args:
        emitter: Of the graph.
        trellis: Of the weight.
        size: K, n, and the bits of a weight.
    """
    cols, rows, bits = size
    turns = Turns.of(rows, bits)
    wide = ir.DataType.UINT32 if turns.word <= 4 else ir.DataType.UINT64
    span, step = (turns.count - 1) * turns.stride + 1, emitter.integers(turns.stride)
    ends = [(emitter.integers(first), emitter.integers(first + span)) for first in range(turns.word)]
    parts = [emitter.op("Slice", trellis.strings, *end, emitter.integers(1), step) for end in ends]
    joined = emitter.op("Unsqueeze", _word(emitter, parts, wide), emitter.integers(-1))
    shifts = emitter.constant(np.arange(0, turns.outputs * bits, bits, dtype=wide.numpy()))
    moved = emitter.op("BitShift", joined, shifts, direction="RIGHT")
    found = emitter.reshape(_entries(emitter, moved, wide, trellis), [cols, turns.count * turns.outputs])
    if turns.count * turns.outputs != rows:
        found = emitter.op("Slice", found, emitter.integers(0), emitter.integers(rows), emitter.integers(1))
    return _levels(emitter, found, trellis)


def levels_at(emitter: Emitter, trellis: Trellis, indices: ir.Value, bits: int) -> ir.Value:
    """(K, m) uint8 levels of some outputs.

    Args:
        emitter: Of the graph.
        trellis: Of the weight.
        indices: (m,) int64 outputs.
        bits: Of a weight.
    """
    start = emitter.op("Mul", indices, emitter.constant(np.array(bits, np.int64)))
    eight = emitter.constant(np.array(8, np.int64))
    first = emitter.op("Div", start, eight)
    parts = []
    for offset in range(3):
        at = emitter.op("Add", first, emitter.constant(np.array(offset, np.int64))) if offset else first
        parts.append(emitter.op("Gather", trellis.strings, at, axis=1))
    wide = ir.DataType.UINT32
    shifts = emitter.cast(emitter.op("Mod", start, eight), wide)
    moved = emitter.op("BitShift", _word(emitter, parts, wide), shifts, direction="RIGHT")
    return _levels(emitter, _entries(emitter, moved, wide, trellis), trellis)


def _word(emitter: Emitter, parts: Sequence[ir.Value], wide: ir.DataType) -> ir.Value:
    """Bytes as the digits of one number, the lowest first."""
    joined = emitter.cast(parts[0], wide)
    for place, part in enumerate(parts[1:], 1):
        shift = emitter.constant(np.array(8 * place, wide.numpy()))
        digit = emitter.op("BitShift", emitter.cast(part, wide), shift, direction="LEFT")
        joined = emitter.op("BitwiseOr", joined, digit)
    return joined


def _entries(emitter: Emitter, moved: ir.Value, wide: ir.DataType, trellis: Trellis) -> ir.Value:
    """What the table says of the windows in the lowest bits of some words."""
    window = emitter.op("BitwiseAnd", moved, emitter.constant(np.array(STATES - 1, wide.numpy())))
    return emitter.op("Gather", trellis.table, emitter.cast(window, ir.DataType.INT32), axis=0)


def _levels(emitter: Emitter, entries: ir.Value, trellis: Trellis) -> ir.Value:
    """Levels (K, …) of entries of the table."""
    middle = emitter.constant(np.array(MIDDLE, np.float32))
    centred = emitter.op("Sub", emitter.cast(entries, ir.DataType.FLOAT), middle)
    moved = emitter.op("Round", emitter.op("Mul", centred, trellis.gains))
    return emitter.cast(emitter.op("Add", moved, middle), ir.DataType.UINT8)
