"""The operators that read trellis strings, of ``ai.onnx`` alone, and few bytes of constants a weight on the way.

A column's string is a row of bytes (``passes.numbers.trellis``). All windows at once, some neighbours by one lookup::

    Cast -> Conv([2^-s, 2^(8 - s), 2^(16 - s)]) -> Cast -> BitwiseAnd    the bits that some outputs see, as one number
    -> Gather(levels of every such number)                               their levels

Sums of three bytes are exact in float32. onnxruntime folds all that into a constant of levels when it loads the file,
and fuses that with its DequantizeLinear and MatMul. It frees nothing before all is folded, so what counts is the bytes
of every value on the way: 7 to 12 a weight. Looked-up rows gather their own three bytes of every column.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from myqasr_fx.export.emitter import Emitter
from passes.numbers.trellis import STATES, WINDOW, Turns, string_bytes

_TOGETHER = {1: 4, 2: 4, 3: 2, 4: 2}
"""Bits a weight to neighbours that one lookup finds: more need a larger table, or more than the 24 bits of a float."""


class Trellis(NamedTuple):
    """What levels are read from.

    Args:
        strings: (K, B) uint8.
        table: (4096,) uint8.
    """

    strings: ir.Value
    table: ir.Value


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
    together = _TOGETHER[bits]
    table, seen = _joined_table(emitter, trellis, bits), _seen(emitter, trellis, rows, bits)
    levels = emitter.op("Gather", table, seen, axis=0)  # (K, lookups of a turn, turns, outputs of a lookup)
    if turns.outputs > together:
        levels = emitter.op("Transpose", levels, perm=[0, 2, 1, 3])
    read = turns.count * turns.outputs
    levels = emitter.reshape(levels, [cols, read])
    return _first(emitter, levels, rows) if read != rows else levels


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
    word: ir.Value | None = None
    for place in range(3):
        at = emitter.op("Add", first, emitter.constant(np.array(place, np.int64))) if place else first
        digit = emitter.cast(emitter.op("Gather", trellis.strings, at, axis=1), ir.DataType.UINT32)
        if word is not None:
            digit = emitter.op("BitShift", digit, emitter.constant(np.array(8 * place, np.uint32)), direction="LEFT")
        word = digit if word is None else emitter.op("BitwiseOr", word, digit)
    shifts = emitter.cast(emitter.op("Mod", start, eight), ir.DataType.UINT32)
    moved = emitter.op("BitShift", word, shifts, direction="RIGHT")
    window = emitter.op("BitwiseAnd", moved, emitter.constant(np.array(STATES - 1, np.uint32)))
    return emitter.op("Gather", trellis.table, emitter.cast(window, ir.DataType.INT32), axis=0)


def _seen(emitter: Emitter, trellis: Trellis, rows: int, bits: int) -> ir.Value:
    """(K, g, t) int32: the bits that each lookup sees, of g lookups a turn and t turns of n outputs."""
    turns, together = Turns.of(rows, bits), _TOGETHER[bits]
    starts = range(0, turns.outputs * bits, together * bits)
    kernel = np.zeros((len(starts), 1, turns.word), np.float32)
    for row, start in zip(kernel[:, 0], starts, strict=True):
        byte, shift = divmod(start, 8)
        row[byte : byte + 3] = np.exp2(np.arange(0, 24, 8)[: turns.word - byte] - shift)
    used, strings = (turns.count - 1) * turns.stride + turns.word, trellis.strings
    if used != string_bytes(rows, bits):
        strings = _first(emitter, strings, used)
    columns = emitter.cast(emitter.op("Unsqueeze", strings, emitter.integers(1)), ir.DataType.FLOAT)
    words = emitter.op("Conv", columns, emitter.constant(kernel), strides=[turns.stride])
    seen, most = emitter.cast(words, ir.DataType.INT32), 1 << _lookup_bits(bits)
    if kernel.sum(-1).max() * 255 < most:
        return seen  # whole bytes
    return emitter.op("BitwiseAnd", seen, emitter.constant(np.array(most - 1, np.int32)))


def _joined_table(emitter: Emitter, trellis: Trellis, bits: int) -> ir.Value:
    """(2^b, r) uint8: entries of the table for r neighbours that see b bits; made once a graph."""

    def make() -> ir.Value:
        numbers = [emitter.constant(np.array(number, np.int32)) for number in (0, 1 << _lookup_bits(bits), 1)]
        column = emitter.op("Unsqueeze", emitter.op("Range", *numbers), emitter.integers(1))
        steps = emitter.constant((1 << np.arange(0, bits * _TOGETHER[bits], bits)).astype(np.int32))
        window = emitter.op(
            "BitwiseAnd", emitter.op("Div", column, steps), emitter.constant(np.array(STATES - 1, np.int32))
        )
        return emitter.op("Gather", trellis.table, window, axis=0)

    return emitter.once((trellis.table.name, bits), make)


def _lookup_bits(bits: int) -> int:
    """Bits that neighbours of one lookup see together."""
    return WINDOW + bits * (_TOGETHER[bits] - 1)


def _first(emitter: Emitter, value: ir.Value, count: int) -> ir.Value:
    """(K, count) of (K, m)."""
    return emitter.op("Slice", value, emitter.integers(0), emitter.integers(count), emitter.integers(1))
