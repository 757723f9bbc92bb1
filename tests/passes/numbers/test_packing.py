"""Packing: identity at every width and odd sizes, exact byte counts, the planar layout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.errors import QuantizationError
from passes.numbers.packing import PackedField, fields, join, pack, packed_bytes, split, unpack


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 8), st.integers(0, 67), st.integers(1, 5), st.integers(0, 10**6))
def test_unpacking_gives_the_codes_back(bits: int, rows: int, cols: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 2**bits, (rows, cols), dtype=np.uint8)
    packed = pack(codes, bits)
    assert np.array_equal(unpack(packed, bits, codes.shape), codes)
    assert sum(f.data.size for f in packed) == packed_bytes(codes.size, bits)
    assert np.array_equal(unpack(split(join(packed), codes.size, bits), bits, codes.shape), codes)
    assert codes.size * bits / 8 <= packed_bytes(codes.size, bits) < codes.size * bits / 8 + len(packed)


def test_fields() -> None:
    assert [fields(b) for b in range(1, 9)] == [(1,), (2,), (2, 1), (4,), (4, 1), (4, 2), (4, 2, 1), (8,)]


def test_layout_is_planar_with_low_bits_first() -> None:
    packed = pack(np.array([0b00001, 0b10010, 0b00011], np.uint8), 5)
    assert [(f.width, f.offset) for f in packed] == [(4, 0), (1, 4)]
    # Bytes 0 and 1 hold codes 0 and 2, and code 1.
    assert packed[0].data.tolist() == [0x31, 0x02]
    assert packed[1].data.tolist() == [0b010]


def test_graph_form_unpacks_with_one_shift_and_mask() -> None:
    codes = np.random.default_rng(0).integers(0, 4, 13, dtype=np.uint8)
    (field,) = pack(codes, 2)
    planes = (field.data >> np.array([[0], [2], [4], [6]], np.uint8)) & 3
    assert np.array_equal(planes.reshape(-1)[:13], codes)


def test_refusals() -> None:
    with pytest.raises(QuantizationError, match="nearest choice is 16"):
        fields(13)
    with pytest.raises(QuantizationError, match="nearest choice is 8"):
        packed_bytes(10, 9)
    with pytest.raises(QuantizationError, match="does not fit"):
        pack(np.array([4], np.uint8), 2)
    with pytest.raises(QuantizationError, match="expected uint8"):
        pack(np.array([1], np.int32), 2)  # type: ignore[arg-type]
    with pytest.raises(QuantizationError, match="fields"):
        unpack(pack(np.zeros(8, np.uint8), 3), 4, (8,))
    with pytest.raises(QuantizationError, match="bytes for 9 codes"):
        unpack(pack(np.zeros(8, np.uint8), 1), 1, (9,))
    with pytest.raises(QuantizationError, match="expected 4"):
        split(np.zeros(3, np.uint8), 8, 4)
    with pytest.raises(QuantizationError):
        PackedField(3, 0, np.zeros(1, np.uint8))
    with pytest.raises(QuantizationError):
        PackedField(2, 0, np.zeros((1, 1), np.uint8))
