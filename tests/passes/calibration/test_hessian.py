"""What steadies a search by gradients, each against its description."""

from __future__ import annotations

from dataclasses import replace

import torch

from passes.calibration import REGISTRY
from passes.calibration.hessian import blended
from passes.calibration.objective import Objective
from passes.calibration.rows_read import LayerRows
from passes.calibration.search import ROWS, Side, judged_rows, search_rows, search_tensor
from passes.numbers.affine import activation_qparams
from passes.numbers.factors import FACTORS, from_least, multiples


def objective(name: str) -> Objective:
    found = REGISTRY[name].objective
    assert found is not None
    return found


def test_half_of_a_blended_weight_is_the_same_for_all() -> None:
    gradients = torch.tensor([[0.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    inputs = torch.ones(2, 3)
    found = blended(LayerRows((inputs, inputs), (), gradients))
    squares = torch.cat([part.square() for part in found.gradients])
    assert torch.allclose(squares, torch.tensor([[0.5, 2.5], [0.5, 0.5], [0.5, 0.5], [0.5, 2.5]]))
    assert torch.equal(blended(found).inputs[0], inputs)
    nothing = blended(LayerRows((inputs,), (), (torch.zeros(2, 2),)))
    assert torch.equal(nothing.gradients[0], torch.full((2, 2), 0.5).sqrt())


def test_felt_rows_are_judged_too() -> None:
    felt = torch.zeros(5 * ROWS, 3)
    felt[[7, 4321]] = 1.0
    chosen = judged_rows(len(felt), felt)
    assert isinstance(chosen, torch.Tensor) and {7, 4321} <= set(chosen.tolist())
    assert ROWS // 2 < len(chosen) <= ROWS and set(range(0, 5 * ROWS, 10)) <= set(chosen.tolist())
    assert judged_rows(5 * ROWS, None) == slice(None, None, 5)
    assert judged_rows(ROWS, felt[:ROWS]) == slice(None, None, 1)


def test_no_multiple_below_the_floor() -> None:
    """An outlier that no gradient feels: without a floor, its range is given up."""
    weight = torch.randn(4, 16, generator=torch.Generator().manual_seed(0))
    weight[:, 0] = 100.0
    inputs = torch.randn(20, 16, generator=torch.Generator().manual_seed(1))
    inputs[:, 0] = 0.0
    side = Side(weight, inputs, weight @ inputs.T, torch.ones(4, 20))
    low, high = float(weight.min()), float(weight.max())
    make = lambda a, b: activation_qparams(a, b, bits=4)  # noqa: E731
    candidates = multiples(low, high, make)
    free = candidates.index(search_tensor([side], candidates, objective("hessian")))
    floored = objective("hessian_floored")
    bound = from_least(candidates, floored.least)
    held = candidates.index(search_tensor([side], bound, floored))
    assert FACTORS[free] < 0.45 and FACTORS[held] >= floored.least == 0.5
    ends = weight.amin(1, keepdim=True), weight.amax(1, keepdim=True)
    scales = [search_rows(side, ends, (4, False), objective(name)).scale for name in ("hessian", "hessian_floored")]
    assert bool((scales[0] < scales[1]).all())
    assert from_least([1, 2, 3], 0.5) == [1, 2, 3]  # exponents of two ranges are no multiples


def test_the_steady_one_is_all_of_them() -> None:
    assert objective("hessian_steady") == replace(objective("hessian"), probed=True, blended=True, felt=True, least=0.5)
    plain = objective("hessian")
    assert (plain.probed, plain.blended, plain.felt, plain.least) == (False, False, False, 0.0)
