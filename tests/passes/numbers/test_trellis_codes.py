"""Strings of several widths: what is written is read again, column by column."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.errors import QuantizationError
from passes.numbers.scheme import TRELLIS_BITS
from passes.numbers.trellis import STATES, Tables, lead, string_bytes, windows
from passes.numbers.trellis_codes import TrellisCodes, head_bytes, stored_widths, strings_bytes

WIDTHS = st.lists(st.sampled_from(TRELLIS_BITS), min_size=1, max_size=12)
TABLES: Tables = {bits: np.random.default_rng(bits).integers(1, 256, STATES).astype(np.uint8) for bits in TRELLIS_BITS}


def drawn(widths: np.ndarray, rows: int, seed: int = 0) -> np.ndarray:
    """(K, n) windows that follow one another."""
    generator = np.random.default_rng(seed)
    drawn = [generator.integers(0, 1 << int(bits), (1, rows + lead(int(bits))), dtype=np.uint8) for bits in widths]
    return np.concatenate([windows(symbols, int(bits)) for symbols, bits in zip(drawn, widths, strict=True)])


def codes_of(widths: list[int], rows: int, seed: int = 0) -> tuple[TrellisCodes, np.ndarray]:
    own = np.array(widths, np.uint8)
    path = drawn(own, rows, seed)
    return TrellisCodes.of(path, own, TABLES, np.linspace(0.5, 1, len(own), dtype=np.float32)), path


@settings(max_examples=60, deadline=None)
@given(widths=WIDTHS, rows=st.integers(1, 40), seed=st.integers(0, 1000))
def test_what_is_stored_is_read_again(widths: list[int], rows: int, seed: int) -> None:
    codes, path = codes_of(widths, rows, seed)
    levels = np.stack([TABLES[bits][own] for bits, own in zip(widths, path, strict=True)])
    assert np.array_equal(codes.levels(), levels)  # gains are no part of them
    stored = codes.stored()
    again = TrellisCodes.read(stored, widths[0], (len(widths), rows), codes.tables, codes.gains)
    assert np.array_equal(again.levels(), levels) and np.array_equal(again.widths, codes.widths)
    assert stored_widths(stored, widths[0], len(widths)).tolist() == widths


def test_strings_of_one_width_are_a_matrix_and_others_lie_behind_their_widths() -> None:
    even, _ = codes_of([3] * 5, 16)
    assert even.stored().shape == (5, string_bytes(16, 3))
    mixed, _ = codes_of([3, 1, 3, 2, 1], 16)
    assert mixed.stored().size == head_bytes(5) + strings_bytes(16, mixed.widths)
    assert [(bits, columns.tolist()) for bits, columns, _ in mixed.parts()] == [
        (1, [False, True, False, False, True]),
        (2, [False, False, False, True, False]),
        (3, [True, False, True, False, False]),
    ]


def test_what_does_not_belong_together_is_refused() -> None:
    codes, _ = codes_of([2, 4], 9)
    given = (codes.rows, codes.widths, codes.strings, codes.tables, codes.gains)
    for place, wrong, message in (
        (0, 0, "expected uint8 \\(K,\\)"),
        (1, np.array([2, 7], np.uint8), "a trellis of 7 bits"),
        (1, np.array([[2, 4]], np.uint8), "expected uint8 \\(K,\\)"),
        (2, codes.strings[:-1], "strings are uint8"),
        (3, codes.tables[:1], "expected uint8 \\(2, 4096\\)"),
        (4, codes.gains[:1], "expected float32 \\(K,\\)"),
    ):
        with pytest.raises(QuantizationError, match=message):
            TrellisCodes(*(wrong if at == place else value for at, value in enumerate(given)))  # type: ignore[arg-type]
