"""The operators that read trellis strings, of ``ai.onnx`` alone, and few bytes of constants a weight on the way.

A column's string is a row of bytes (``passes.numbers.trellis``). All windows at once, some neighbours by one lookup::

    Cast -> Conv([2^-s, 2^(8 - s), 2^(16 - s)]) -> Cast -> BitwiseAnd    the bits that some outputs see, as one number
    -> Gather(levels of every such number)                               their levels

Where columns differ in width, a Split gives the strings of each width, and a Gather puts their levels back in order: of
widths sorted twice (TopK) the indices are the places of columns among the strings.

Sums of three bytes are exact in float32. onnxruntime folds all that into a constant of levels when it loads the file,
and fuses that with its DequantizeLinear and MatMul. It frees nothing before all is folded, so what counts is the bytes
of every value on the way: 6 to 13 a weight, two more where columns differ. Looked-up rows: ``string_rows``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from myqasr_fx.export.emitter import Emitter
from passes.numbers.trellis import LAST_TABLE, STATES, WINDOW, Turns, string_bytes
from passes.numbers.trellis_codes import head_bytes

_TOGETHER = {1: 4, 2: 4, 3: 2, 4: 2, 5: 2, 6: 2}
"""Bits a weight to neighbours that one lookup finds: more need a larger table, or more than the 24 bits of a float."""


@dataclass(frozen=True, slots=True, eq=False)
class Trellis:
    """What levels are read from.

    Args:
        stored: (K, B) uint8 strings of one width, or (S,) widths and strings (``passes.numbers.trellis_codes``).
        counts: Width to the columns that have it, narrow ones first.
        tables: (4096,) uint8 of each width, in that order.
        rows: Outputs n.
    """

    stored: ir.Value
    counts: Mapping[int, int]
    tables: Sequence[ir.Value]
    rows: int

    @property
    def cols(self) -> int:
        """Inputs K."""
        return sum(self.counts.values())


def table_name(bits: int) -> str:
    """Name of the stored levels of strings of ``bits`` a weight."""
    return f"trellis.levels{min(bits, LAST_TABLE)}"


def all_levels(emitter: Emitter, trellis: Trellis) -> ir.Value:
    """(K, n) uint8 levels."""
    rows, parts = trellis.rows, []
    if len(trellis.counts) == 1:
        (bits,), (table,) = trellis.counts, trellis.tables
        return _levels(emitter, (trellis.stored, table), rows, bits)
    head, *strings = split(emitter, trellis)
    for bits, table, part in zip(trellis.counts, trellis.tables, strings, strict=True):
        parts.append(_levels(emitter, (part, table), rows, bits))
    _, order = places(emitter, head, [trellis.cols])
    return emitter.op("Gather", emitter.op("Concat", *parts, axis=0), order, axis=0)


def split(emitter: Emitter, trellis: Trellis) -> Sequence[ir.Value]:
    """The widths of a mixed trellis, and the strings of each width."""
    sizes = [cols * string_bytes(trellis.rows, bits) for bits, cols in trellis.counts.items()]
    sizes = [head_bytes(trellis.cols), *sizes]
    return emitter.ops("Split", trellis.stored, emitter.integers(*sizes), outputs=len(sizes), axis=0)


def places(emitter: Emitter, head: ir.Value, shape: Sequence[int]) -> tuple[ir.Value, ir.Value]:
    """uint8 widths of columns, and int64 their places among all strings, of ``shape`` (…, K).

    Args:
        emitter: Of the graph.
        head: (…, 1, K / 2) uint8 packed widths, or (K / 2,).
        shape: Of the result.
    """
    cols = shape[-1]
    shifts = emitter.constant(np.array([[0], [4]], np.uint8))
    planes = emitter.op("BitShift", head, shifts, direction="RIGHT")
    widths = emitter.reshape(emitter.op("BitwiseAnd", planes, emitter.byte(15)), [*shape[:-1], -1])
    if cols % 2:
        widths = _first(emitter, widths, cols)
    # Equal widths stay in order; of a permutation that is sorted in turn, the places are where everything went.
    numbers = [emitter.constant(np.array(number, np.int32)) for number in (0, cols, 1)]
    ranks = emitter.once(("ranks", cols), lambda: emitter.op("Range", *numbers))
    keys = emitter.op("Mul", emitter.cast(widths, ir.DataType.INT32), numbers[1])
    keys = emitter.op("Add", keys, ranks)
    for _ in range(2):
        _, keys = emitter.ops("TopK", keys, emitter.integers(cols), outputs=2, largest=0)
    return widths, keys


def _levels(emitter: Emitter, part: tuple[ir.Value, ir.Value], rows: int, bits: int) -> ir.Value:
    """(K, n) uint8 levels of strings of one width, K times B bytes, and their table."""
    strings, table = part
    turns = Turns.of(rows, bits)
    together = _TOGETHER[bits]
    joined, seen = _joined_table(emitter, table, bits), _seen(emitter, strings, rows, bits)
    levels = emitter.op("Gather", joined, seen, axis=0)  # (K, lookups of a turn, turns, outputs of a lookup)
    if turns.outputs > together:
        levels = emitter.op("Transpose", levels, perm=[0, 2, 1, 3])
    read = turns.count * turns.outputs
    levels = emitter.reshape(levels, [-1, read])  # not K: that constant would serve few other layers
    return _first(emitter, levels, rows) if read != rows else levels


def _seen(emitter: Emitter, strings: ir.Value, rows: int, bits: int) -> ir.Value:
    """(K, g, t) int32: the bits that each lookup sees, of g lookups a turn and t turns of n outputs."""
    turns, together = Turns.of(rows, bits), _TOGETHER[bits]
    starts = range(0, turns.outputs * bits, together * bits)
    kernel = np.zeros((len(starts), 1, turns.word), np.float32)
    for row, start in zip(kernel[:, 0], starts, strict=True):
        byte, shift = divmod(start, 8)
        row[byte : byte + 3] = np.exp2(np.arange(0, 24, 8)[: turns.word - byte] - shift)
    size = string_bytes(rows, bits)
    strings = emitter.reshape(strings, [-1, 1, size])
    used = (turns.count - 1) * turns.stride + turns.word
    if size - used >= turns.stride:  # or a convolution would read one turn more
        strings = _first(emitter, strings, used)
    columns = emitter.cast(strings, ir.DataType.FLOAT)
    words = emitter.op("Conv", columns, emitter.constant(kernel), strides=[turns.stride])
    seen, most = emitter.cast(words, ir.DataType.INT32), 1 << _lookup_bits(bits)
    if kernel.sum(-1).max() * 255 < most:
        return seen  # whole bytes
    return emitter.op("BitwiseAnd", seen, emitter.constant(np.array(most - 1, np.int32)))


def _joined_table(emitter: Emitter, table: ir.Value, bits: int) -> ir.Value:
    """(2^b, r) uint8: entries of the table for r neighbours that see b bits; made once a graph."""

    def make() -> ir.Value:
        # A neighbour sees the bits from its own first one on: all others may be anything.
        below = [1 << bits * place for place in range(_TOGETHER[bits])]
        column = emitter.reshape(table, [1, STATES, 1])
        every = [emitter.op("Expand", column, emitter.integers(below[-1] // low, 1, low)) for low in below]
        return emitter.op("Concat", *(emitter.reshape(levels, [-1, 1]) for levels in every), axis=1)

    return emitter.once((table.name, bits), make)


def _lookup_bits(bits: int) -> int:
    """Bits that neighbours of one lookup see together."""
    return WINDOW + bits * (_TOGETHER[bits] - 1)


def _first(emitter: Emitter, value: ir.Value, count: int) -> ir.Value:
    """(…, count) of (…, m)."""
    return emitter.op("Slice", value, emitter.integers(0), emitter.integers(count), emitter.integers(-1))
