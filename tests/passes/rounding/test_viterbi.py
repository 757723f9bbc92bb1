"""The compiled search of paths against a short search in numpy, on every width."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from passes.errors import QuantizationError
from passes.numbers.scheme import TRELLIS_BITS
from passes.numbers.trellis import MIDDLE, STATES, WINDOW, symbols_of, windows
from passes.rounding.path_search import OVERLAP, TALL, PathSearch, PathWalk, _Search
from passes.rounding.trellis_table import gaussian_table
from passes.rounding.walk import Block, walked


def searched(wanted: np.ndarray, scale: np.ndarray, table: np.ndarray, bits: int) -> np.ndarray:
    """The same, one state after the other by plain array operations, float64."""
    values = table.astype(np.float64) - MIDDLE
    states = np.arange(STATES)
    before = ((states << bits) & (STATES - 1))[:, None] | np.arange(1 << bits)  # windows that may come before each
    cost, came = np.zeros(STATES), []
    for j, (want, one) in enumerate(zip(wanted.astype(np.float64), scale.astype(np.float64), strict=True)):
        if j:
            choice = cost[before].argmin(1)
            came.append(before[states, choice])
            cost = cost[came[-1]]
        cost = cost + (want - one * values) ** 2
    path = [int(cost.argmin())]
    for steps in reversed(came):
        path.append(int(steps[path[-1]]))
    return np.array(path[::-1], np.uint16)


def levels(table: np.ndarray) -> np.ndarray:
    return table.astype(np.float32) - MIDDLE


def total(path: np.ndarray, wanted: np.ndarray, scale: np.ndarray, table: np.ndarray) -> float:
    return float(((wanted - scale * (table[path].astype(np.float64) - MIDDLE)) ** 2).sum())


@pytest.mark.parametrize("bits", TRELLIS_BITS)
@pytest.mark.parametrize("rows", [1, 2, 37])
def test_finds_the_best_path(bits: int, rows: int) -> None:
    generator = np.random.default_rng(rows)
    wanted = generator.standard_normal(rows).astype(np.float32)
    scale = (0.03 + 0.02 * generator.random(rows)).astype(np.float32)
    table = gaussian_table()
    found, expected = PathSearch(bits, rows)(wanted, scale, levels(table)), searched(wanted, scale, table, bits)
    assert np.array_equal(windows(symbols_of(found, bits), bits), found)  # windows follow one another
    best = total(expected, wanted, scale, table)
    assert total(found, wanted, scale, table) == pytest.approx(best, rel=1e-5)  # float32 sums of that many terms


@pytest.mark.parametrize("bits", TRELLIS_BITS)
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_finds_it_among_costs_of_any_size_that_add_up(bits: int, size: float) -> None:
    generator = np.random.default_rng(bits)
    wanted = (size * generator.standard_t(3, 700)).astype(np.float32)
    scale, table = np.full(700, 0.03 * size, np.float32), gaussian_table()
    found, expected = PathSearch(bits, 700)(wanted, scale, levels(table)), searched(wanted, scale, table, bits)
    assert total(found, wanted, scale, table) == pytest.approx(total(expected, wanted, scale, table), rel=1e-5)


@pytest.mark.parametrize("bits", TRELLIS_BITS)
def test_a_tall_column_is_searched_in_halves_that_join(bits: int) -> None:
    generator = np.random.default_rng(bits)
    table, scale = gaussian_table(), np.full(TALL + 5, 0.03, np.float32)
    for wanted in (generator.standard_normal(TALL + 5), generator.standard_t(3, TALL + 5), np.zeros(TALL + 5)):
        column = wanted.astype(np.float32)
        found, whole = (search(bits, TALL + 5)(column, scale, levels(table)) for search in (PathSearch, _Search))
        assert np.array_equal(windows(symbols_of(found, bits), bits), found)
        # Sums of so many float32 terms decide between paths that are as good; those of halves are shorter.
        best = total(whole, column, scale, table)
        assert total(found, column, scale, table) <= best * (1 + 1e-5) + 1e-9


def test_halves_that_never_meet_are_searched_as_a_whole() -> None:
    search, column = PathSearch(4, TALL), np.random.default_rng(0).standard_normal(TALL).astype(np.float32)
    given = column, np.full(TALL, 0.03, np.float32), levels(gaussian_table())
    half = TALL // 2 + OVERLAP // 2
    found = search._joined(np.zeros(half, np.uint16), np.ones(half, np.uint16), given)
    assert np.array_equal(found, _Search(4, TALL)(*given))


def test_one_weight_takes_the_nearest_level_of_all() -> None:
    table = gaussian_table()
    found = PathSearch(4, 1)(np.array([0.7], np.float32), np.array([0.02], np.float32), levels(table))
    values = 0.02 * (table.astype(np.float64) - MIDDLE)
    assert abs(values[found[0]] - 0.7) == pytest.approx(np.abs(values - 0.7).min())
    assert found[0] < 1 << WINDOW


@pytest.mark.parametrize("bits", TRELLIS_BITS)
@pytest.mark.parametrize("carried", [False, True])
def test_a_block_of_columns_is_what_one_column_after_the_other_is(bits: int, carried: bool) -> None:
    generator = np.random.default_rng(bits)
    count, rows = 5, 70
    bases, values = generator.standard_normal((2, count, rows)).astype(np.float32)
    shares, pivots = generator.random((count, count)).astype(np.float32), 0.5 + generator.random(count)
    scales = (0.03 + 0.02 * generator.random((count, rows))).astype(np.float32)
    roots, own = np.exp(generator.standard_normal(rows)).astype(np.float32), levels(gaussian_table())
    search, found = PathSearch(bits, rows), np.empty((count, rows), np.uint16)

    def block(values: torch.Tensor) -> Block:
        known = {"pivots": torch.from_numpy(pivots).float()} if carried else {"values": values}
        return Block(range(count), torch.from_numpy(bases), torch.from_numpy(shares), **known)

    def snap(column: int, wanted: torch.Tensor) -> torch.Tensor:
        found[column] = search(wanted.numpy() * roots, scales[column] * roots, own)
        return torch.from_numpy(own[found[column]] * scales[column])

    one, other = torch.from_numpy(values.copy()), torch.from_numpy(values.copy())
    expected = walked(block(one), snap)
    errors, paths = PathWalk(bits, rows)(block(other), scales, roots, own)
    assert np.array_equal(paths, found)
    # Sums of a few products, in which a compiler may round once where two operators round twice.
    torch.testing.assert_close(torch.from_numpy(errors), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(other, one, rtol=0, atol=1e-5)
    assert torch.equal(other, torch.from_numpy(values)) is carried


def test_another_width_is_refused() -> None:
    with pytest.raises(QuantizationError, match="a trellis of 7 bits"):
        PathSearch(7, 1)
