"""Bit packing, spelled once: codes of 1 to 8 bits in dense uint8 arrays.

A width is split into fields of 4, 2 and 1 bits (5 = 4 + 1, 7 = 4 + 2 + 1; 8 stays whole), lowest bits first. A field of
``w`` bits puts ``per = 8 // w`` codes into a byte. The layout is planar: of ``M = ceil(count / per)`` bytes, byte ``m``
holds codes ``m, m + M, m + 2 M, …``, code ``i * M + m`` in bits ``[i * w, (i + 1) * w)``. A graph unpacks it with one
shift by ``[0, w, 2 w, …]``, one mask and one reshape, without a transpose. The end is padded with zeros.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from passes.errors import QuantizationError
from passes.numbers.scheme import MAX_PACKED_BITS

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class PackedField:
    """Bits ``[offset, offset + width)`` of all codes.

    Args:
        width: 1, 2, 4 or 8.
        offset: Lowest bit of the code that this field holds.
        data: (M,) uint8.
    """

    width: int
    offset: int
    data: Bytes

    def __post_init__(self) -> None:
        if self.width not in (1, 2, 4, 8) or not 0 <= self.offset <= MAX_PACKED_BITS - self.width:
            raise QuantizationError(f"field of {self.width} bits at bit {self.offset}")
        if self.data.dtype != np.uint8 or self.data.ndim != 1:
            raise QuantizationError(f"packed data is {self.data.dtype} {self.data.shape}, expected uint8 (M,)")


def fields(bits: int) -> tuple[int, ...]:
    """Field widths of a code, lowest bits first.

    Raises:
        QuantizationError: Not a width from 1 to 8.
    """
    if not 1 <= bits <= MAX_PACKED_BITS:
        near = 1 if bits < 1 else 8 if bits <= 12 else 16
        raise QuantizationError(f"{bits} bits cannot be packed", hint=f"1 to 8 can; the nearest choice is {near}")
    return tuple(width for width in (8, 4, 2, 1) if bits & width)


def pack(codes: Bytes, bits: int) -> tuple[PackedField, ...]:
    """Packs codes, flattened in row-major order.

    Args:
        codes: uint8 of any shape, each below ``2**bits``.
        bits: 1 to 8.

    Raises:
        QuantizationError: Not uint8, or a code is too large.
    """
    widths = fields(bits)
    if codes.dtype != np.uint8:
        raise QuantizationError(f"codes are {codes.dtype}, expected uint8")
    flat = codes.reshape(-1)
    if flat.size and int(flat.max()) >> bits:
        raise QuantizationError(f"code {int(flat.max())} does not fit in {bits} bits")
    packed, offset = [], 0
    for width in widths:
        packed.append(PackedField(width, offset, _pack_field(flat, width, offset)))
        offset += width
    return tuple(packed)


def unpack(packed: Sequence[PackedField], bits: int, shape: tuple[int, ...]) -> Bytes:
    """Codes that :func:`pack` packed.

    Args:
        packed: All fields of the code.
        bits: 1 to 8.
        shape: Of the codes.

    Raises:
        QuantizationError: Fields or their lengths do not belong to this width and shape.
    """
    count = math.prod(shape)
    if tuple(f.width for f in packed) != fields(bits):
        raise QuantizationError(f"fields {[f.width for f in packed]}, expected {fields(bits)} for {bits} bits")
    codes = np.zeros(count, np.uint8)
    for field in packed:
        width = field.width
        if field.data.size != _field_bytes(count, width):
            expected = _field_bytes(count, width)
            raise QuantizationError(f"{field.data.size} bytes for {count} codes of {width} bits, expected {expected}")
        shifts = np.arange(0, 8, width, dtype=np.uint8)[:, None]
        planes = (field.data >> shifts) & np.uint8((1 << width) - 1)
        codes |= planes.reshape(-1)[:count] << np.uint8(field.offset)
    return codes.reshape(shape)


def join(packed: Sequence[PackedField]) -> Bytes:
    """The fields' bytes one after the other, as one buffer (M,)."""
    return np.concatenate([field.data for field in packed])


def split(buffer: Bytes, count: int, bits: int) -> tuple[PackedField, ...]:
    """The fields that :func:`join` put together, as views of ``buffer``.

    Raises:
        QuantizationError: The buffer has not the length of ``count`` codes.
    """
    if buffer.size != (expected := packed_bytes(count, bits)):
        raise QuantizationError(f"{buffer.size} bytes for {count} codes of {bits} bits, expected {expected}")
    parts, start, offset = [], 0, 0
    for width in fields(bits):
        stop = start + _field_bytes(count, width)
        parts.append(PackedField(width, offset, buffer[start:stop]))
        start, offset = stop, offset + width
    return tuple(parts)


def packed_bytes(count: int, bits: int) -> int:
    """Bytes that ``count`` codes of ``bits`` bits take, padding included."""
    return sum(_field_bytes(count, width) for width in fields(bits))


def _field_bytes(count: int, width: int) -> int:
    return -(-count * width // 8)


def _pack_field(flat: Bytes, width: int, offset: int) -> Bytes:
    per = 8 // width
    data = np.zeros(size := _field_bytes(flat.size, width), np.uint8)
    for plane in range(per):
        part = flat[plane * size : (plane + 1) * size]
        data[: part.size] |= ((part >> np.uint8(offset)) & np.uint8((1 << width) - 1)) << np.uint8(plane * width)
    return data
