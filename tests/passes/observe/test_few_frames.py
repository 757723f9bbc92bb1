"""steadied: nothing where frames are enough, more the fewer there are, and better codes on frames not seen."""

from __future__ import annotations

import pytest
import torch

from passes.numbers.affine import dequantize, qparams_from_range
from passes.observe.few_frames import DAMPING, ENOUGH, damped_by, steadied, undecided
from passes.rounding.carry import damped, falling_columns
from passes.rounding.gptq import gptq


def frames(count: int, seed: int) -> torch.Tensor:
    """Correlated inputs (count, 64), of the same mixture for every seed."""
    mix = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    return torch.randn(count, 64, generator=torch.Generator().manual_seed(seed)) @ mix


def gram_of(seen: torch.Tensor) -> torch.Tensor:
    return seen.T @ seen / len(seen)


@pytest.mark.parametrize("count", [64 * ENOUGH, 64 * ENOUGH + 1, 1e9])
def test_enough_frames_change_nothing(count: float) -> None:
    gram = gram_of(frames(300, 1))
    assert steadied(gram, count) is gram


@pytest.mark.parametrize(("count", "part"), [(128, 2), (64, 4), (16, 16)])
def test_rounding_then_damps_by_the_part_of_the_formula(count: int, part: int) -> None:
    gram = gram_of(frames(count, 1)).double()
    whole = damped(steadied(gram, count))
    # Rounding takes its own part of a diagonal that is larger by what was added before.
    added = DAMPING * (part - 1)
    expected = damped_by(gram, added + DAMPING * (1 + added))
    torch.testing.assert_close(whole, expected)


def test_no_frames_at_all_leave_a_finite_matrix() -> None:
    assert torch.isfinite(steadied(torch.zeros(4, 4), 0.0)).all()


def test_codes_of_few_frames_cost_less_on_others() -> None:
    weight = torch.randn(96, 64, generator=torch.Generator().manual_seed(9))
    groups = weight.reshape(96, -1, 32)
    qparams = qparams_from_range(groups.amin(-1), groups.amax(-1), 3, False, 32)
    few, others = gram_of(frames(32, 1)), gram_of(frames(20_000, 2))
    costs = []
    for gram in (few, steadied(few, 32)):
        found = gptq(weight, qparams, gram)
        error = dequantize(found.codes, found.qparams) - weight
        costs.append(float(((error @ others) * error).sum()))
    assert costs[1] < 0.9 * costs[0]


@pytest.mark.parametrize("spread", [0.0, 1e-7, 1e-5, 1e-3])
def test_inputs_that_hardly_differ_leave_a_matrix_that_can_be_factored(spread: float) -> None:
    seen = 3.0 + spread * frames(2_000, 1)
    gram, means = gram_of(seen), seen.mean(0)
    centred = gram - means.outer(means)
    assert torch.isfinite(falling_columns(centred + undecided(centred, gram)).factor).all()


def test_nothing_is_added_where_inputs_differ() -> None:
    seen = 3.0 + frames(2_000, 1)
    gram, means = gram_of(seen), seen.mean(0)
    assert not undecided(gram - means.outer(means), gram).any()
