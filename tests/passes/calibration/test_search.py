"""Batched searches against one candidate after the other."""

from __future__ import annotations

import pytest
import torch

from passes.calibration import REGISTRY, search
from passes.calibration.search import Side, search_rows, search_tensor
from passes.numbers.affine import activation_qparams, dequantize, qparams_from_range, quantize
from passes.numbers.factors import FACTORS, multiples

OBJECTIVES = ["cosine", "hessian", "l1_norm", "l2_norm", "linear_weighted_l2_norm"]


def losses(name: str, expected: torch.Tensor, got: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """The objectives as their docstrings write them, of each of C outputs ``got`` (C, ...)."""
    error, axes = expected - got, tuple(range(1, got.ndim))
    values = {
        "cosine": -(expected * got).sum(axes) / (expected.norm() * got.square().sum(axes).sqrt()).clamp(min=1e-15),
        "hessian": (gradient * error).square().sum(axes),
        "l1_norm": error.abs().sum(axes),
        "l2_norm": error.square().sum(axes),
        "linear_weighted_l2_norm": (expected.abs() * error.square()).sum(axes),
    }
    return values[name]


@pytest.fixture
def side() -> Side:
    random = torch.Generator().manual_seed(0)
    weight, inputs = torch.randn(12, 32, generator=random).pow(3), torch.randn(20, 32, generator=random)
    gradient = torch.randn(12, 20, generator=random)
    return Side(weight, inputs + 0.05, weight @ inputs.T, gradient)


def test_factors_are_the_paper_s() -> None:
    assert len(FACTORS) == 100
    assert (FACTORS[0], FACTORS[-1]) == pytest.approx((0.01, 1.2))


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("numbers", [1, 1 << 22])
def test_one_scale(name: str, numbers: int, side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_NUMBERS", numbers)
    objective = REGISTRY[name].objective
    assert objective is not None and side.gradient is not None
    low, high = float(side.varied.min()), float(side.varied.max())
    candidates = multiples(low, high, lambda *ends: activation_qparams(*ends, bits=3))
    factors = torch.tensor(FACTORS, dtype=torch.float64).reshape(-1, 1, 1)
    scale = (high - low) * factors / 7
    zero_point = torch.round(-low * factors / scale)
    codes = (torch.round(side.varied.double() / scale) + zero_point).clamp(0, 7)
    got = ((codes - zero_point) * scale) @ side.fixed.double().T
    tried = losses(name, side.expected.double(), got, side.gradient.double())
    found = search_tensor([side], candidates, objective)
    chosen = next(i for i, candidate in enumerate(candidates) if candidate is found)
    assert float(tried[chosen]) == pytest.approx(float(tried.min()), rel=1e-4)
    # Two sides share the scale and are judged together.
    halves = [side.rows(slice(0, 6)), side.rows(slice(6, 12))]
    assert search_tensor(halves, candidates, objective) is found


def test_the_bias_is_in_the_output_that_weighs(side: Side) -> None:
    objective = REGISTRY["linear_weighted_l2_norm_bias"].objective
    assert objective is not None and objective.with_bias
    bias = torch.zeros(12, 1).index_fill_(0, torch.tensor([3]), 1e4).expand(-1, 20)  # one row decides
    biased = Side(side.varied, side.fixed, side.expected + bias, None, bias)
    low, high = float(side.varied.min()), float(side.varied.max())
    candidates = multiples(low, high, lambda *ends: activation_qparams(*ends, bits=3))
    losses = []
    for candidate in candidates:
        codes = ((side.varied / candidate.scale).round() + candidate.zero_point).clamp(0, 7)
        got = ((codes - candidate.zero_point) * candidate.scale) @ side.fixed.T
        losses.append(float(((side.expected + bias).abs() * (side.expected - got).square()).sum()))
    found = search_tensor([biased.rows(slice(0, 6)), biased.rows(slice(6, 12))], candidates, objective)
    assert found is candidates[losses.index(min(losses))]
    assert search_tensor([side], candidates, objective) is not found


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("symmetric", [False, True])
def test_a_scale_for_each_row_and_group(
    name: str, groups: int, symmetric: bool, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = REGISTRY[name].objective
    assert objective is not None and side.gradient is not None
    side = Side(side.varied, side.fixed, side.varied @ side.fixed.T, side.gradient)
    size = 32 // groups
    grouped = side.varied.reshape(12, groups, size)
    ends = grouped.amin(-1), grouped.amax(-1)
    found = search_rows(side, ends, (3, symmetric), objective)
    monkeypatch.setattr(search, "_NUMBERS", 900)
    again = search_rows(side, ends, (3, symmetric), objective)
    assert torch.equal(found.scale, again.scale) and torch.equal(found.zero_point, again.zero_point)
    for row in range(0, 12, 5):
        for group in range(groups):
            inputs = side.fixed[:, group * size : (group + 1) * size].T
            weight = grouped[row : row + 1, group]
            low, high = (end[row, group] * torch.tensor(FACTORS).unsqueeze(1) for end in ends)
            tried = qparams_from_range(low, high, 3, symmetric, size)
            candidates = weight.expand(len(FACTORS), -1)
            got = dequantize(quantize(candidates, tried), tried) @ inputs
            values = losses(name, weight @ inputs, got, side.gradient[row])
            best, taken = float(values.min()), tried.scale.flatten() == found.scale[row, group]
            assert float(values[taken].min()) == pytest.approx(best, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("name", ["hessian", "l2_norm"])
def test_many_rows_are_judged_by_some(name: str, side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "ROWS", 4)
    objective = REGISTRY[name].objective
    assert objective is not None and side.gradient is not None
    candidates = multiples(-3.0, 3.0, lambda *ends: activation_qparams(*ends, bits=3))
    every_third = Side(side.varied[::3], side.fixed, side.expected[::3], side.gradient[::3])
    assert search_tensor([side], candidates, objective) is search_tensor([every_third], candidates, objective)
