"""Strings of trellis codes: packing, random access, and windows against a literal walk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.errors import QuantizationError
from passes.numbers.scheme import TRELLIS_BITS, TRELLIS_STEPS, Granularity, WeightSpec, weight_spec
from passes.numbers.trellis import (
    STATES,
    WINDOW,
    lead,
    pack_strings,
    string_bytes,
    symbols_of,
    unpack_strings,
    windows,
)

BITS = st.sampled_from(TRELLIS_BITS)


def drawn(bits: int, cols: int, rows: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 1 << bits, (cols, rows + lead(bits)), dtype=np.uint8)


@settings(max_examples=60)
@given(bits=BITS, rows=st.integers(1, 70), seed=st.integers(0, 1000))
def test_windows_are_those_of_a_literal_walk(bits: int, rows: int, seed: int) -> None:
    symbols = drawn(bits, 3, rows, seed)
    for string, found in zip(symbols, windows(symbols, bits), strict=True):
        state = sum(int(symbol) << (bits * place) for place, symbol in enumerate(string[: lead(bits) + 1]))
        walked = [state]
        for symbol in string[lead(bits) + 1 :]:
            state = (state >> bits) | (int(symbol) << (lead(bits) * bits))
            walked.append(state)
        assert found.tolist() == [state % (1 << WINDOW) for state in walked]


@settings(max_examples=60)
@given(bits=BITS, rows=st.integers(1, 70), seed=st.integers(0, 1000))
def test_strings_pack_and_any_row_is_read_alone(bits: int, rows: int, seed: int) -> None:
    symbols = drawn(bits, 4, rows, seed)
    packed = pack_strings(symbols, bits)
    assert packed.shape == (4, string_bytes(rows, bits))
    assert np.array_equal(unpack_strings(packed, bits, rows), symbols)
    for row, expected in enumerate(windows(symbols, bits).T):
        first, offset = divmod(row * bits, 8)
        word = sum(packed[:, first + i].astype(np.uint32) << np.uint32(8 * i) for i in range(3))
        assert np.array_equal((word >> np.uint32(offset)) & np.uint32(STATES - 1), expected)
    again = windows(symbols_of(windows(symbols, bits), bits), bits)
    assert np.array_equal(again, windows(symbols, bits))


@pytest.mark.parametrize("bits", TRELLIS_BITS)
@pytest.mark.parametrize("rows", [384, 1536, 51864])
def test_strings_take_their_bits_and_three_bytes_at_most(bits: int, rows: int) -> None:
    assert 0 <= string_bytes(rows, bits) - rows * bits / 8 <= 3


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(QuantizationError, match="expected \\(K, 5\\)"):
        unpack_strings(np.zeros((2, 4), np.uint8), 2, 9)


def test_a_spec_of_trellis_codes_has_levels_of_8_bits() -> None:
    spec = weight_spec(2, Granularity("group", 64), False, "trellis")
    assert (spec.is_trellis, spec.symmetric, spec.level_bits) == (True, True, 8)
    wide = weight_spec(7, Granularity("group", 64), False, "trellis")
    assert (wide.is_trellis, wide.symmetric, wide.level_bits) == (False, False, 7)
    for wrong in ({"symmetric": False}, {"bits": 7}, {"granularity": Granularity("tensor")}):
        with pytest.raises(QuantizationError, match="a trellis of"):
            WeightSpec(**{"bits": 2, "symmetric": True, "format": "trellis", **wrong})


def test_averages_between_two_widths() -> None:
    for bits, quarters in TRELLIS_STEPS:
        spec = WeightSpec(bits, symmetric=True, format="trellis", quarters=quarters)
        assert spec.mean_bits == bits + quarters / 4 and spec.column_bits(384) == 384 * spec.mean_bits
    assert WeightSpec(2, symmetric=True, format="trellis", quarters=3).column_bits(10) == 27
    for wrong in ({"format": "affine"}, {"bits": 6}, {"bits": 1}, {"quarters": 4}, {"quarters": -1}):
        with pytest.raises(QuantizationError, match="quarters"):
            WeightSpec(**{"bits": 2, "symmetric": True, "format": "trellis", "quarters": 1, **wrong})
