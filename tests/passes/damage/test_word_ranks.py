"""word_ranks: lines in logarithms are kept, noise around them is taken out, ends and what has no line stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from passes.damage.word_ranks import smooth_by_rank

ROWS = 100
BLOCKS = [(start, ROWS) for start in range(0, 2000, ROWS)] + [(2000, 40)]


def power(exponent: float, size: float = 1.0) -> torch.Tensor:
    """What blocks cost where a row costs a power of its rank."""
    return torch.tensor([size * rows * (start + rows / 2) ** exponent for start, rows in BLOCKS], dtype=torch.float64)


@given(exponent=st.floats(-2, 0.5), size=st.floats(1e-6, 1e3))
def test_a_power_of_the_rank_stays(exponent: float, size: float) -> None:
    costs = power(exponent, size)
    torch.testing.assert_close(smooth_by_rank(costs, BLOCKS), costs, rtol=1e-6, atol=0)


def test_noise_around_it_shrinks() -> None:
    costs, generator = power(-1), np.random.default_rng(0)
    noise = torch.from_numpy(np.exp(generator.normal(0, 0.5, (50, len(BLOCKS)))))
    smooth = torch.stack([smooth_by_rank(costs * each, BLOCKS) for each in noise])
    before, after = ((found / costs).log()[:, 1:-1].square().mean() for found in (costs * noise, smooth))
    assert float(after) < 0.5 * float(before)


def test_the_ends_stay() -> None:
    costs = power(-1)
    costs[0], costs[-1] = 1000.0, 500.0
    smooth = smooth_by_rank(costs, BLOCKS)
    assert (float(smooth[0]), float(smooth[-1])) == (1000.0, 500.0)
    torch.testing.assert_close(smooth[1:-1], costs[1:-1], rtol=1e-6, atol=0)


@pytest.mark.parametrize("costs", [torch.ones(5), torch.zeros(len(BLOCKS)), torch.arange(len(BLOCKS)) * 1.0])
def test_few_blocks_and_such_that_cost_nothing_stay(costs: torch.Tensor) -> None:
    assert torch.equal(smooth_by_rank(costs, BLOCKS[: len(costs)]), costs)
