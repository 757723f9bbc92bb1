"""The operators that look up rows in blocks of trellis strings, as many for a hundred blocks as for one.

What blocks and columns differ in are tables, which onnxruntime makes when it loads the file: a column's width, where
its string begins among those of all blocks, its levels among all levels, its gain. A row picks those of its block and
reads three bytes of every column::

    word = 3 bytes at offset + row * width / 8
    level = levels[table + (word >> row * width mod 8 & 4095)]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from myqasr_fx.errors import ExportError
from myqasr_fx.export.emitter import Emitter
from myqasr_fx.export.stored_weight import WeightReader
from myqasr_fx.export.trellis import Trellis, places, split
from passes.numbers.scheme import TRELLIS_BITS
from passes.numbers.trellis import MIDDLE, STATES, string_bytes
from passes.numbers.trellis_codes import head_bytes

_BYTES = 3
"""That hold a window, wherever it begins in the first."""

_KEYS = 1 + max(TRELLIS_BITS)
"""Entries of a table by width, of one block."""


def string_rows(readers: Sequence[WeightReader], indices: ir.Value) -> ir.Value:
    """(…, K) float32 rows.

    Args:
        readers: Of blocks one after the other, of one K and as many scales a row.
        indices: (…) int64, counted from the first row of the first block.

    Raises:
        ExportError: The blocks are no strings, or their scales are stored in two ways.
    """
    emitter, (groups, cols) = readers[0].emitter, (readers[0].weight.groups, readers[0].weight.cols)
    flat = emitter.reshape(indices, [-1])
    levels, pick = _levels(emitter, [reader.trellis() for reader in readers], flat)
    values = emitter.op("Sub", emitter.cast(levels, ir.DataType.FLOAT), emitter.constant(np.array(MIDDLE, np.float32)))
    values = emitter.reshape(values, [-1, groups, cols // groups])
    values = emitter.op("Mul", values, _scales(emitter, readers, flat))
    gains = [gain for reader in readers if (gain := reader.gains()) is not None]
    factors = emitter.reshape(_joined(emitter, gains), [len(readers), groups, cols // groups])
    values = emitter.op("Mul", values, pick(factors))
    shape = emitter.op("Concat", emitter.op("Shape", indices), emitter.integers(cols), axis=0)
    return emitter.op("Reshape", values, shape)


_Pick = Callable[[ir.Value], ir.Value]
"""Of a table of all blocks, what belongs to those of the rows."""


def _levels(emitter: Emitter, blocks: Sequence[Trellis], indices: ir.Value) -> tuple[ir.Value, _Pick]:
    """(m, K) uint8 levels of rows at ``indices`` (m), and what picks from tables for those rows."""
    columns = _columns(emitter, blocks)
    rows = emitter.reshape(emitter.cast(indices, ir.DataType.INT32), [-1, 1])
    pick, rows = _place(emitter, [block.rows for block in blocks], rows)
    bits, eight = emitter.op("Mul", rows, pick(columns.bits)), emitter.constant(np.array(8, np.int32))
    first = emitter.op("Add", emitter.op("Div", bits, eight), pick(columns.offset))
    shifts = emitter.cast(emitter.op("Mod", bits, eight), ir.DataType.UINT32)
    moved = emitter.op("BitShift", _words(emitter, blocks, first), shifts, direction="RIGHT")
    window = emitter.op("BitwiseAnd", moved, emitter.constant(np.array(STATES - 1, np.uint32)))
    found = emitter.op("Add", emitter.cast(window, ir.DataType.INT32), pick(columns.table))
    return emitter.op("Gather", _all_tables(emitter, blocks), found, axis=0), pick


def _place(emitter: Emitter, sizes: Sequence[int], rows: ir.Value) -> tuple[_Pick, ir.Value]:
    """What picks from tables for ``rows`` (m, 1), and (m, 1) their places within their blocks."""
    if len(sizes) == 1:
        return lambda table: table, rows
    starts = np.cumsum([0, *sizes[:-1]], dtype=np.int32)
    later = emitter.op("GreaterOrEqual", rows, emitter.constant(starts[1:]))
    block = emitter.op("ReduceSum", emitter.cast(later, ir.DataType.INT32), emitter.integers(1), keepdims=0)

    def pick(table: ir.Value) -> ir.Value:
        return emitter.op("Gather", table, block, axis=0)

    return pick, emitter.op("Sub", rows, pick(emitter.constant(starts[:, None])))


def _words(emitter: Emitter, blocks: Sequence[Trellis], first: ir.Value) -> ir.Value:
    """(m, K) uint32 of three bytes each, the lowest at ``first`` (m, K) among the strings of all blocks."""
    flat = (block.stored if len(block.counts) > 1 else emitter.reshape(block.stored, [-1]) for block in blocks)
    strings = _joined(emitter, list(flat))
    first = emitter.op("Unsqueeze", first, emitter.integers(-1))
    three = emitter.op("Add", first, emitter.constant(np.arange(_BYTES, dtype=np.int32)))
    digits = emitter.cast(emitter.op("Gather", strings, three, axis=0), ir.DataType.FLOAT)
    worth = emitter.constant(np.exp2(8 * np.arange(_BYTES)).astype(np.float32))
    return emitter.cast(emitter.op("MatMul", digits, worth), ir.DataType.UINT32)


class _Columns(NamedTuple):
    """What the columns of all blocks are read by, (B, K) int32 each; folded at load.

    Args:
        bits: Of a weight.
        offset: Of a string's first byte, among those of all blocks.
        table: Of the first of its levels, among all.
    """

    bits: ir.Value
    offset: ir.Value
    table: ir.Value


@dataclass(frozen=True, slots=True)
class _ByWidth:
    """Numbers of all blocks by a column's width, (B, 7) int32 each."""

    lengths: np.ndarray
    starts: np.ndarray
    tables: np.ndarray


def _columns(emitter: Emitter, blocks: Sequence[Trellis]) -> _Columns:
    """Made of the widths alone."""
    count, cols, known = len(blocks), blocks[0].cols, _by_width(blocks)
    heads = _joined(emitter, [_head(emitter, block) for block in blocks])
    widths, ranks = places(emitter, emitter.reshape(heads, [count, 1, -1]), [count, cols])
    widths = emitter.cast(widths, ir.DataType.INT32)
    keys = emitter.op("Add", widths, emitter.constant(_KEYS * np.arange(count, dtype=np.int32)[:, None]))
    tables = (known.lengths, known.starts, known.tables)
    lengths, starts, levels = (emitter.op("Gather", emitter.constant(t.reshape(-1)), keys, axis=0) for t in tables)
    offset = emitter.op("Mul", emitter.cast(ranks, ir.DataType.INT32), lengths)
    return _Columns(widths, emitter.op("Add", offset, starts), levels)


def _by_width(blocks: Sequence[Trellis]) -> _ByWidth:
    found = _ByWidth(*(np.zeros((len(blocks), _KEYS), np.int32) for _ in range(3)))
    begin, tables = 0, _distinct(blocks)
    for row, block in enumerate(blocks):
        first, begin = 0, begin + (head_bytes(block.cols) if len(block.counts) > 1 else 0)
        for (bits, cols), table in zip(block.counts.items(), block.tables, strict=True):
            found.lengths[row, bits] = length = string_bytes(block.rows, bits)
            found.starts[row, bits], found.tables[row, bits] = begin - first * length, tables.index(table) * STATES
            first, begin = first + cols, begin + cols * length
    return found


def _head(emitter: Emitter, block: Trellis) -> ir.Value:
    """(K / 2,) uint8 widths of the columns, packed."""
    if len(block.counts) > 1:
        return split(emitter, block)[0]
    (bits,) = block.counts
    return emitter.op("Expand", emitter.byte(bits * 17), emitter.integers(head_bytes(block.cols)))


def _scales(emitter: Emitter, readers: Sequence[WeightReader], indices: ir.Value) -> ir.Value:
    """(m, G, 1) float32 scales of rows at ``indices`` (m), gathered before anything else reads them."""
    parts, kinds = zip(*(reader.stored_scale() for reader in readers), strict=True)
    if len(set(kinds)) > 1:
        raise ExportError(f"{readers[0].weight.name}: scales that are not on the grid, unlike those of its neighbours")
    rows = emitter.op("Gather", _joined(emitter, parts, axis=1), emitter.reshape(indices, [-1, 1]), axis=1)
    rows = emitter.op("Transpose", rows, perm=[1, 0, 2])
    return readers[0].looked_up(rows) if kinds[0] else emitter.cast(rows, ir.DataType.FLOAT)


def _distinct(blocks: Sequence[Trellis]) -> list[ir.Value]:
    """The tables of all blocks, each once."""
    return list(dict.fromkeys(table for block in blocks for table in block.tables))


def _all_tables(emitter: Emitter, blocks: Sequence[Trellis]) -> ir.Value:
    """(t * 4096,) uint8 levels; made once a graph."""
    tables = _distinct(blocks)
    return emitter.once(tuple(table.name for table in tables), lambda: _joined(emitter, tables))


def _joined(emitter: Emitter, parts: Sequence[ir.Value], axis: int = 0) -> ir.Value:
    return parts[0] if len(parts) == 1 else emitter.op("Concat", *parts, axis=axis)
