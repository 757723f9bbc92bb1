"""hqq: its own objective never rises, and outliers lose their hold on the scale."""

from __future__ import annotations

import pytest
import torch

from passes.affine import QParams, dequantize, qparams_from_range
from passes.rounding.hqq import group_errors, hqq
from passes.rounding.rtn import rtn
from passes.scale_grid import grid_indices

GROUP = 32


def heavy_tails(rows: int = 64, cols: int = 128) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.02 * torch.randn(rows, cols, generator=generator) / torch.rand(rows, cols, generator=generator).sqrt()


def full_range(weight: torch.Tensor, bits: int, symmetric: bool) -> QParams:
    groups = weight.reshape(len(weight), -1, GROUP)
    return qparams_from_range(groups.amin(-1), groups.amax(-1), bits, symmetric, GROUP)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("symmetric", [False, True])
def test_no_group_is_worse_than_rounding_to_nearest(bits: int, symmetric: bool) -> None:
    weight = heavy_tails()
    qparams = full_range(weight, bits, symmetric)
    plain, found = rtn(weight, qparams, None), hqq(weight, qparams, None)
    before, after = (group_errors(weight, rounded.codes, rounded.qparams) for rounded in (plain, found))
    assert bool((after <= before * (1 + 1e-5)).all())
    assert float(after.sum()) < (0.98 if 1 < bits < 8 else 1.0001) * float(before.sum())
    assert bits == 1 or grid_indices(found.qparams.scale) is not None


def test_most_weights_are_closer() -> None:
    weight = heavy_tails()
    qparams = full_range(weight, 3, False)
    near, far = (
        dequantize(found.codes, found.qparams) for found in (hqq(weight, qparams, None), rtn(weight, qparams, None))
    )
    assert float((near - weight).abs().median()) < 0.8 * float((far - weight).abs().median())


def test_one_scale_for_all_rows_stays() -> None:
    weight = heavy_tails()
    qparams = qparams_from_range(weight.amin().view(1, 1), weight.amax().view(1, 1), 4, False, weight.shape[1])
    found = hqq(weight, qparams, None)
    assert found.qparams is qparams and torch.equal(found.codes, rtn(weight, qparams, None).codes)
