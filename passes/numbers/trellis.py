"""Trellis codes, spelled once: k bits a weight that each see a window of 12.

The codes of one input column of a weight, over its outputs, are one string of bits, the lowest first. Output ``j``
reads the window of ``WINDOW`` bits at bit ``j * k``; neighbouring windows share all but k bits. A window is an index
into a table of 8-bit levels::

    window_j = sum_i symbol[j + i] << (k * i) mod 2^12,   i = 0 .. ceil(12 / k) - 1
    value_j  = (table[window_j] - 128) * scale_j * gain

so that n outputs take ``n + ceil(12 / k) - 1`` symbols. The window is all of the state: any row is read without those
before it. Columns may differ in k (``passes.numbers.column_widths``). Scales are those of symmetric 8-bit codes, see
``passes.numbers.affine``; there are no zero points. A column has a ``gain`` of at most 1, because some inputs have much
smaller weights than their neighbours in a group. A product multiplies what it reads by the gains, so that levels stay
as fine as they are.

Source: Tseng et al., "QTIP: Quantization with Trellises and Incoherence Processing", NeurIPS 2024, section 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from passes.errors import QuantizationError
from passes.numbers.scheme import TRELLIS_BITS

WINDOW = 12
"""Bits that a weight sees."""

STATES = 1 << WINDOW
"""Entries of a table."""

MIDDLE = 128
"""Level of zero."""

UNIT = 28.0
"""Levels, counted from the middle, of one standard deviation: the table reaches to 4.5 of them."""

LAST_TABLE = 4
"""Widest strings with a table of their own: wider ones read the same levels."""

Levels = npt.NDArray[np.uint8]
Tables = Mapping[int, Levels]
"""Bits to the (4096,) levels that windows of strings of that width read."""

NO_TABLES: Tables = MappingProxyType({})
"""Nothing is searched."""


def read_levels(path: npt.NDArray[np.uint16], table: Levels) -> Levels:
    """(K, n) levels that (K, n) windows read, one column at a time: numpy widens indices to 8 bytes each."""
    found = np.empty(path.shape, np.uint8)
    for out, column in zip(found, path, strict=True):
        np.take(table, column, out=out)
    return found


def check_trellis_bits(bits: int) -> None:
    """Refuses a width that no trellis takes.

    Raises:
        QuantizationError: Naming those that one takes.
    """
    if bits not in TRELLIS_BITS:
        raise QuantizationError(
            f"a trellis of {bits} bits", hint="a trellis takes 1 to 6 bits; above, take affine codes"
        )


def lead(bits: int) -> int:
    """Symbols of a string beyond one an output."""
    return -(-WINDOW // bits) - 1


def windows(symbols: Levels, bits: int) -> npt.NDArray[np.uint16]:
    """(…, n) window of every output, from (…, n + lead) symbols."""
    rows = symbols.shape[-1] - lead(bits)
    found = np.zeros((*symbols.shape[:-1], rows), np.uint16)
    for i in range(lead(bits) + 1):
        found |= symbols[..., i : i + rows].astype(np.uint16) << np.uint16(bits * i)
    return found & np.uint16(STATES - 1)


def symbols_of(path: npt.NDArray[np.uint16], bits: int) -> Levels:
    """(…, n + lead) symbols of (…, n) windows that follow one another."""
    mask = np.uint16((1 << bits) - 1)
    last = [(path[..., -1:] >> np.uint16(bits * i)) & mask for i in range(1, lead(bits) + 1)]
    return np.concatenate([path & mask, *last], axis=-1).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Turns:
    """How all windows of a string are read at once: in turns, each of which begins with a byte.

    Args:
        outputs: Windows of a turn.
        stride: Bytes from one turn to the next.
        word: Bytes that hold the windows of a turn.
        count: Turns.
    """

    outputs: int
    stride: int
    word: int
    count: int

    @classmethod
    def of(cls, rows: int, bits: int) -> Turns:
        """Those of ``rows`` outputs."""
        stride = bits // math.gcd(bits, 8)
        outputs = 8 * stride // bits
        return cls(outputs, stride, -(-((outputs - 1) * bits + WINDOW) // 8), -(-rows // outputs))


def string_bytes(rows: int, bits: int) -> int:
    """Bytes of the string of one column, padded so that every turn and every single window lies within it."""
    turns = Turns.of(rows, bits)
    return max((turns.count - 1) * turns.stride + turns.word, (rows - 1) * bits // 8 + 3)


def pack_strings(symbols: Levels, bits: int) -> Levels:
    """(K, B) bytes, the first symbol in the lowest bits of the first byte, from (K, n + lead) symbols."""
    rows = symbols.shape[1] - lead(bits)
    planes = (symbols[..., None] >> np.arange(bits, dtype=np.uint8)) & np.uint8(1)  # lowest bit first
    packed = np.packbits(planes.reshape(len(symbols), -1), axis=1, bitorder="little")
    found = np.zeros((len(symbols), string_bytes(rows, bits)), np.uint8)
    found[:, : packed.shape[1]] = packed
    return found


def unpack_strings(packed: Levels, bits: int, rows: int) -> Levels:
    """The symbols that :func:`pack_strings` packed.

    Args:
        packed: (K, B).
        bits: 1 to 6.
        rows: Outputs n.

    Raises:
        QuantizationError: The strings are of another length.
    """
    if packed.ndim != 2 or packed.shape[1] != string_bytes(rows, bits):
        raise QuantizationError(f"strings of shape {packed.shape}, expected (K, {string_bytes(rows, bits)})")
    count = (rows + lead(bits)) * bits
    planes = np.unpackbits(packed, axis=1, bitorder="little")[:, :count].reshape(len(packed), -1, bits)
    symbols: Levels = (planes << np.arange(bits, dtype=np.uint8)).sum(-1, dtype=np.uint8)
    return symbols
