"""Refitted scales: codes stay, no row is worse by the objective, scales stay values that a file stores."""

from __future__ import annotations

import pytest
import torch

from passes.numbers.affine import dequantize, qparams_from_range, quantize
from passes.numbers.quantized_weight import FloatBlock, QuantizedBlock, QuantizedWeight
from passes.numbers.scale_grid import grid_indices
from passes.numbers.scheme import TRELLIS_BITS, Granularity, RowBlock, WeightSpec, weight_spec
from passes.numbers.trellis_scales import start_scales
from passes.rounding import REGISTRY
from passes.rounding.method import Strings
from passes.rounding.refit_scales import refit_scales
from passes.rounding.trellis_table import gaussian_table

ROWS, COLS, GROUP = 24, 128, 32


def make_layer(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights and the Gram matrix of correlated inputs."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(ROWS, COLS, generator=generator)
    inputs = torch.randn(500, 32, generator=generator) @ torch.randn(32, COLS, generator=generator)
    inputs = inputs + 0.1 * torch.randn(500, COLS, generator=generator)
    return weight, inputs.T @ inputs / len(inputs)


def rounded(weight: torch.Tensor, bits: int, symmetric: bool, group: int = GROUP) -> QuantizedWeight:
    spec = WeightSpec(bits, Granularity("group", group) if group < COLS else Granularity("channel"), symmetric)
    groups = weight.reshape(len(weight), -1, group)
    qparams = qparams_from_range(groups.amin(-1), groups.amax(-1), bits, symmetric, group)
    return QuantizedWeight(
        tuple(weight.shape), (QuantizedBlock(RowBlock(0, len(weight), spec), quantize(weight, qparams), qparams),)
    )


def errors(weight: torch.Tensor, found: QuantizedWeight, gram: torch.Tensor) -> torch.Tensor:
    apart = found.dequantize() - weight
    return ((apart @ gram) * apart).sum(-1)


@pytest.mark.parametrize(("bits", "symmetric"), [(1, True), (2, False), (3, True), (4, False)])
@pytest.mark.parametrize("group", [GROUP, COLS])
def test_lowers_the_objective_and_keeps_the_codes(bits: int, symmetric: bool, group: int) -> None:
    weight, gram = make_layer()
    start = rounded(weight, bits, symmetric, group)
    better = refit_scales(weight, start, gram)
    before, after = (errors(weight, found, gram) for found in (start, better))
    assert bool((after <= before * (1 + 1e-4)).all())
    assert float(after.sum()) < 0.99 * float(before.sum())
    (old,), (new,) = start.blocks, better.blocks
    assert isinstance(old, QuantizedBlock) and isinstance(new, QuantizedBlock)
    assert new.codes is old.codes and new.qparams.zero_point is old.qparams.zero_point
    assert group == COLS or grid_indices(new.qparams.scale) is not None
    assert torch.equal(new.qparams.scale, new.qparams.scale.half().float())
    assert torch.equal(new.dequantize(), dequantize(old.codes, new.qparams))


def test_strings_are_refitted_with_their_gains() -> None:
    weight, gram = make_layer()
    weight[:, 5] *= 20  # its group's other inputs have small gains
    run, spec = REGISTRY["rtn"].trellis, weight_spec(3, Granularity("group", GROUP), False, "trellis")
    assert run is not None
    found = run(
        weight, start_scales(weight, GROUP), gram, Strings(3 * COLS, dict.fromkeys(TRELLIS_BITS, gaussian_table()))
    )
    assert found.trellis is not None and float(found.trellis.gains.min()) < 0.1
    block = QuantizedBlock(RowBlock(0, ROWS, spec), found.codes, found.qparams, trellis=found.trellis)
    start = QuantizedWeight((ROWS, COLS), (block,))
    before, after = (errors(weight, each, gram) for each in (start, refit_scales(weight, start, gram)))
    assert bool((after <= before * (1 + 1e-4)).all())
    assert float(after.sum()) < 0.99 * float(before.sum())


def test_what_is_fitted_already_and_floats_stay() -> None:
    weight, gram = make_layer()
    (block,) = rounded(weight[:8], 4, False).blocks
    kept = FloatBlock(RowBlock(8, ROWS, WeightSpec(32)), weight[8:])
    start = QuantizedWeight((ROWS, COLS), (block, kept))
    same = refit_scales(start.dequantize(), start, gram)
    assert torch.equal(same.dequantize(), start.dequantize())
    assert refit_scales(weight, start, gram).blocks[1] is kept
