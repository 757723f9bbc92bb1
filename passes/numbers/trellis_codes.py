"""The strings of a matrix of weights, one an input, each of its own width; and how they lie in a file.

Strings of one width are a matrix of bytes (K, B). Where widths differ, the strings lie one after the other, those of
narrow columns first, behind the widths of all columns (four bits each, packed as ``passes.numbers.packing`` says)::

    widths (K / 2)  |  strings of the columns of 1 bit  |  of 2 bits  |  …  |  of 6 bits

Source: as ``passes.numbers.trellis``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from passes.errors import QuantizationError
from passes.numbers.column_widths import Widths
from passes.numbers.packing import join, pack, packed_bytes, split, unpack
from passes.numbers.trellis import (
    STATES,
    Levels,
    Tables,
    check_trellis_bits,
    pack_strings,
    read_levels,
    string_bytes,
    symbols_of,
    unpack_strings,
    windows,
)

_WIDTH_BITS = 4


@dataclass(frozen=True, slots=True, eq=False)
class TrellisCodes:
    """The bits of a matrix of weights.

    Args:
        rows: Outputs n.
        widths: (K,) uint8 of the columns, 1 to 6.
        strings: (S,) uint8, those of narrow columns first, equal ones in order.
        tables: (m, 4096) uint8 levels, one for each width that a column has, narrow ones first.
        gains: (K,) float32 of the columns: values of ``passes.numbers.scale_grid`` of at most 1.

    Raises:
        QuantizationError: Types, shapes or values do not belong together.
    """

    rows: int
    widths: Widths
    strings: Levels
    tables: Levels
    gains: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.widths.dtype != np.uint8 or self.widths.ndim != 1 or not len(self.widths) or self.rows < 1:
            raise QuantizationError(f"widths are {self.widths.dtype} {self.widths.shape}, expected uint8 (K,)")
        for bits in self.distinct:
            check_trellis_bits(bits)
        if self.tables.dtype != np.uint8 or self.tables.shape != (expected := (len(self.distinct), STATES)):
            raise QuantizationError(f"tables are {self.tables.dtype} {self.tables.shape}, expected uint8 {expected}")
        size = strings_bytes(self.rows, self.widths)
        if self.strings.dtype != np.uint8 or self.strings.shape != (size,):
            got = f"strings are {self.strings.dtype} {self.strings.shape}"
            raise QuantizationError(f"{got}, expected uint8 ({size},)")
        if self.gains.dtype != np.float32 or self.gains.shape != self.widths.shape:
            raise QuantizationError(f"gains are {self.gains.dtype} {self.gains.shape}, expected float32 (K,)")

    @classmethod
    def of(
        cls, path: npt.NDArray[np.uint16], widths: Widths, tables: Tables, gains: npt.NDArray[np.float32]
    ) -> TrellisCodes:
        """Those of (K, n) windows that follow one another.

        Args:
            path: (K, n).
            widths: (K,) of the columns.
            tables: Bits to (4096,) levels, of these widths at least.
            gains: (K,) of the columns.
        """
        distinct = [int(bits) for bits in np.unique(widths)]
        strings = [pack_strings(symbols_of(path[widths == bits], bits), bits).reshape(-1) for bits in distinct]
        levels = np.stack([tables[bits] for bits in distinct])
        return cls(path.shape[1], widths, np.concatenate(strings), levels, gains)

    @classmethod
    def read(
        cls, stored: Levels, bits: int, size: tuple[int, int], tables: Levels, gains: npt.NDArray[np.float32]
    ) -> TrellisCodes:
        """What :meth:`stored` wrote.

        Args:
            stored: (K, B) strings of one width, or what lies one after the other.
            bits: That width.
            size: K and n.
            tables: As the codes hold them.
            gains: As the codes hold them.

        Raises:
            QuantizationError: These do not belong together.
        """
        cols, rows = size
        strings = stored.reshape(-1) if stored.ndim == 2 else stored[head_bytes(cols) :]
        return cls(rows, stored_widths(stored, bits, cols), strings, tables, gains)

    @property
    def distinct(self) -> tuple[int, ...]:
        """The widths that columns have, narrow ones first."""
        return tuple(int(bits) for bits in np.unique(self.widths))

    def stored(self) -> Levels:
        """Strings as they lie in a file: (K, B) of one width, else widths and strings one after the other."""
        if len(self.distinct) == 1:
            return self.strings.reshape(len(self.widths), -1)
        return np.concatenate([join(pack(self.widths, _WIDTH_BITS)), self.strings])

    def levels(self) -> Levels:
        """(K, n) levels."""
        found = np.empty((len(self.widths), self.rows), np.uint8)
        for table, (bits, columns, strings) in zip(self.tables, self.parts(), strict=True):
            found[columns] = read_levels(windows(unpack_strings(strings, bits, self.rows), bits), table)
        return found

    def parts(self) -> Iterator[tuple[int, npt.NDArray[np.bool_], Levels]]:
        """Each width, (K,) which columns have it, and their (k, B) strings."""
        start = 0
        for bits in self.distinct:
            columns = self.widths == bits
            stop = start + int(columns.sum()) * string_bytes(self.rows, bits)
            yield bits, columns, self.strings[start:stop].reshape(int(columns.sum()), -1)
            start = stop


def strings_bytes(rows: int, widths: Widths) -> int:
    """Bytes of the strings of all columns."""
    return sum(count * string_bytes(rows, bits) for bits, count in enumerate(np.bincount(widths).tolist()) if count)


def head_bytes(cols: int) -> int:
    """Bytes of the widths of all columns, where they differ."""
    return packed_bytes(cols, _WIDTH_BITS)


def stored_widths(stored: Levels, bits: int, cols: int) -> Widths:
    """(K,) widths of the columns of what :meth:`TrellisCodes.stored` wrote.

    Args:
        stored: (K, B) strings of one width, or what lies one after the other.
        bits: That width.
        cols: Inputs K.
    """
    if stored.ndim == 2:
        return np.full(cols, bits, np.uint8)
    head = stored[: head_bytes(cols)]
    return unpack(split(head, cols, _WIDTH_BITS), _WIDTH_BITS, (cols,))
