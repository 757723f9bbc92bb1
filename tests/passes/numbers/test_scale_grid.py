"""The grid of scales: float16 values, rounded up to, found again."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from passes.numbers.quantized_weight import fits_float16
from passes.numbers.scale_grid import bytes_of_scale, grid_indices, round_up_to_grid, scale_grid


def test_the_grid_rises_evenly_and_holds_float16_values() -> None:
    grid = scale_grid()
    assert grid.shape == (256,) and fits_float16(grid)
    ratios = grid[1:] / grid[:-1]
    assert 1.03 < float(ratios.min()) <= float(ratios.max()) < 1.07
    assert 1.0 in grid.tolist()


@given(st.lists(st.floats(2.0**-16, 2.0), min_size=1, max_size=20))
def test_rounding_up_covers_the_range_and_is_found_again(scales: list[float]) -> None:
    wanted = torch.tensor(scales, dtype=torch.float64)
    rounded = round_up_to_grid(wanted)
    assert rounded is not None and bool((rounded >= wanted).all()) and bool((rounded <= 1.07 * wanted).all())
    index = grid_indices(rounded)
    assert index is not None and index.dtype == torch.uint8
    assert torch.equal(scale_grid()[index.long()], rounded)


def test_what_lies_outside() -> None:
    assert round_up_to_grid(torch.tensor([0.1, 5.0])) is None
    small = round_up_to_grid(torch.tensor([1e-9, 0.0, 1.0]))
    assert small is not None and small.tolist() == [2.0**-16, 0.0, 1.0]
    assert round_up_to_grid(torch.tensor([1e-6, 0.0])) is None  # all levels would be fifteen times as coarse
    assert grid_indices(torch.tensor([0.1, 1.0])) is None


def test_bytes() -> None:
    assert (bytes_of_scale(6), bytes_of_scale(1)) == (1, 2)
