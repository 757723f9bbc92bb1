"""Refinement: every turn lowers the damped objective, and scales stay values that a file stores."""

from __future__ import annotations

import pytest
import torch

from passes.numbers.affine import QParams, dequantize, qparams_from_range, quantize
from passes.numbers.scale_grid import grid_indices
from passes.rounding.carry import damped
from passes.rounding.descent import Chunk
from passes.rounding.gptq import gptq
from passes.rounding.refine import refine, refined
from passes.rounding.rounded import Rounded
from passes.rounding.rtn import rtn

GROUP = 32


def make_layer(rows: int = 24, cols: int = 128) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (rows, cols) and the Gram matrix of inputs that live near a space of a quarter of the dimensions."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(rows, cols, generator=generator)
    hidden = torch.randn(500, cols // 4, generator=generator) @ torch.randn(cols // 4, cols, generator=generator)
    inputs = hidden + 0.1 * torch.randn(500, cols, generator=generator)
    return weight, inputs.T @ inputs / len(inputs)


def full_range(weight: torch.Tensor, bits: int, symmetric: bool = False, group: int = GROUP) -> QParams:
    groups = weight.reshape(len(weight), -1, group)
    return qparams_from_range(groups.amin(-1), groups.amax(-1), bits, symmetric, group)


def objective(weight: torch.Tensor, rounded: Rounded, gram: torch.Tensor) -> torch.Tensor:
    error = (dequantize(rounded.codes, rounded.qparams) - weight).double()
    return ((error @ damped(gram)) * error).sum(-1)


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("symmetric", [False, True])
def test_lowers_the_objective_of_every_row(bits: int, symmetric: bool) -> None:
    weight, gram = make_layer()
    start = gptq(weight, full_range(weight, bits, symmetric), gram)
    better = refine(weight, start, gram)
    before, after = (objective(weight, rounded, gram) for rounded in (start, better))
    assert bool((after <= before * (1 + 1e-4)).all())
    assert float(after.sum()) < (0.97 if bits < 8 else 1) * float(before.sum())
    assert bool((better.qparams.zero_point == start.qparams.zero_point).all()) or not symmetric
    assert bits == 1 or grid_indices(better.qparams.scale) is not None


def test_a_single_weight_that_is_changed_afterwards_is_no_better() -> None:
    weight, gram = make_layer(rows=3, cols=32)
    found = rtn(weight, full_range(weight, 3), None)
    for _ in range(20):
        found = refine(weight, found, gram)
    least = objective(weight, found, gram)
    for column in range(32):
        for change in (-1, 1):
            moved = found.codes.int()
            moved[:, column] = (moved[:, column] + change).clamp(0, 7)
            other = Rounded(moved.to(torch.uint8), found.qparams)
            assert bool((objective(weight, other, gram) >= least * (1 - 1e-5)).all())


@pytest.mark.parametrize("shared", [False, True])
def test_one_scale_a_row_or_for_all(shared: bool) -> None:
    weight, gram = make_layer(rows=1100 if shared else 8, cols=32)
    qparams = full_range(weight, 4, group=32)
    if shared:
        qparams = qparams_from_range(weight.amin().view(1, 1), weight.amax().view(1, 1), 4, False, 32)
    start = Rounded(quantize(weight, qparams), qparams)
    better = refine(weight, start, gram)
    assert better.qparams.scale.shape == qparams.scale.shape
    assert not shared or torch.equal(better.qparams.scale, qparams.scale)
    assert bool((objective(weight, better, gram) <= objective(weight, start, gram) * 1.0001).all())


def test_groups_of_zeros_and_dead_inputs_do_no_harm() -> None:
    weight, gram = make_layer()
    weight[:, :GROUP] = 0
    gram[:40], gram[:, :40] = 0.0, 0.0
    found = refined(weight, full_range(weight, 3), gram)
    assert not dequantize(found.codes, found.qparams)[:, :GROUP].any()


def test_what_it_cannot_refine_is_rounded_to_nearest() -> None:
    weight, gram = make_layer()
    qparams = full_range(weight, 4)
    assert torch.equal(refined(weight, qparams, None).codes, quantize(weight, qparams))
    wide = full_range(weight, 12)
    assert torch.equal(refined(weight, wide, gram).codes, quantize(weight, wide))


@pytest.mark.parametrize("group", [32, 64, 128])
@pytest.mark.parametrize("symmetric", [False, True])
def test_what_is_carried_on_is_the_error_that_is_there(group: int, symmetric: bool) -> None:
    """Groups of one block and of several; every turn lowers the objective."""
    weight, gram = make_layer()
    start = rtn(weight, full_range(weight, 3, symmetric, group), None)
    hessian = damped(gram).float()
    chunk = Chunk(weight, start.codes, start.qparams, hessian)
    last = objective(weight, start, gram)
    for _ in range(3):
        chunk.turn(fixed=False)
        torch.testing.assert_close(chunk.product, hessian @ (chunk.levels - weight.t()), rtol=1e-3, atol=1e-2)
        qparams = QParams(3, symmetric, group, chunk.scale.t(), chunk.zero.t().to(torch.int32))
        found = Rounded(chunk.codes().t().to(torch.uint8), qparams)
        assert torch.equal(dequantize(found.codes, qparams), chunk.levels.t())
        now = objective(weight, found, gram)
        assert bool((now <= last * (1 + 1e-4)).all())
        last = now
