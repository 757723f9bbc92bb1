"""hqq: its own objective never rises, outliers lose some of their hold on the scale, and none is given up."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from passes.affine import QParams, dequantize, qparams_from_range
from passes.rounding.hqq import LIMIT, group_errors, hqq
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


@given(
    bits=st.integers(2, 8),
    symmetric=st.booleans(),
    seed=st.integers(0, 1 << 16),
    tail=st.floats(0.0, 2.0),
    log_scale=st.floats(-4.0, 1.0),
)
def test_squared_errors_stay_within_the_limit(
    bits: int, symmetric: bool, seed: int, tail: float, log_scale: float
) -> None:
    """Of every group, from normal weights to ones with far outliers, of which the range decides all."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(4, 128, generator=generator) / torch.rand(4, 128, generator=generator).pow(tail).clamp(1e-4)
    weight = weight / weight.abs().max() * 10**log_scale
    qparams = full_range(weight, bits, symmetric)
    plain, found = rtn(weight, qparams, None), hqq(weight, qparams, None)
    before, after = (group_errors(weight, rounded.codes, rounded.qparams, 2.0) for rounded in (plain, found))
    assert bool((after <= LIMIT * before * (1 + 1e-5)).all())


def test_normal_weights_lose_little() -> None:
    """Where there are no outliers, there is nothing to be gained by giving any up."""
    weight = torch.randn(64, 128, generator=torch.Generator().manual_seed(0))
    qparams = full_range(weight, 4, False)
    plain, found = (dequantize(r.codes, r.qparams) for r in (rtn(weight, qparams, None), hqq(weight, qparams, None)))
    assert float((found - weight).square().sum()) < 1.1 * float((plain - weight).square().sum())


def test_unchanged_rows_count_as_fallbacks() -> None:
    levels = torch.arange(GROUP).remainder(4).float().repeat(2, 1)  # which two bits hold as they are
    changed = torch.cat([levels, heavy_tails(3, GROUP)])
    found = hqq(changed, full_range(changed, 2, False), None)
    same = (found.qparams.scale == full_range(changed, 2, False).scale).all(-1)
    assert found.fallbacks >= 2 and bool(same[:2].all())


def test_one_scale_for_all_rows_stays() -> None:
    weight = heavy_tails()
    qparams = qparams_from_range(weight.amin().view(1, 1), weight.amax().view(1, 1), 4, False, weight.shape[1])
    found = hqq(weight, qparams, None)
    assert found.qparams is qparams and torch.equal(found.codes, rtn(weight, qparams, None).codes)
