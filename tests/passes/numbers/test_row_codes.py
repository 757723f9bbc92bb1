"""RowCodes: near every value, told from the values again, and only where a table is large."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.numbers.row_codes import LEAST, RowCodes, row_codes, takes_row_codes

D = 64
N = LEAST // D


def table(spread: float = 1.0, seed: int = 0) -> torch.Tensor:
    rows = torch.logspace(-3, 2, N).unsqueeze(1)
    return torch.randn(N, D, generator=torch.Generator().manual_seed(seed)) * rows * spread


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.floats(-60, 60))
def test_codes_are_near_and_told_from_their_values(seed: int, power: float) -> None:
    values = table(2.0**power, seed)
    found = RowCodes.of(values)
    near = found.values()
    # Half a step, and the largest value's share of the rounding of a scale.
    step = values.abs().amax(1, keepdim=True) / 127
    assert bool(((near - values).abs() <= 0.5 * step + 127 * step * 2.0**-11).all())
    again = row_codes(near)
    assert again is not None
    assert torch.equal(again.codes, found.codes) and torch.equal(again.scales, found.scales)


def test_a_row_of_zeros_stays() -> None:
    values = table()
    values[3] = 0
    assert bool((RowCodes.of(values).values()[3] == 0).all())


@pytest.mark.parametrize(
    "other", [table()[1:], table().flatten(), table().reshape(N, 8, 8), table() * 1e32, table() / 0.0]
)
def test_small_tables_other_shapes_and_what_float16_cannot_scale_take_none(other: torch.Tensor) -> None:
    assert not takes_row_codes(other) and row_codes(other) is None


def test_a_table_of_other_values_has_none() -> None:
    assert takes_row_codes(table()) and row_codes(table()) is None
