"""The rounding rule: bounds, monotonicity, idempotence, one bit, and float16 extremes of the scale."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.calibration.one_bit import one_bit_range
from passes.errors import QuantizationError
from passes.numbers.affine import (
    QParams,
    activation_qparams,
    code_dtype,
    dequantize,
    qparams_from_range,
    quantize,
    step,
    top,
)

BITS = st.integers(1, 16)


Shape = tuple[int, int, int]


def groups_of(seed: int, magnitude: float, offset: float = 0.0, shape: Shape = (3, 2, 16)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=generator) + offset) * magnitude


def qparams_of(groups: torch.Tensor, bits: int, symmetric: bool) -> QParams:
    low, high = one_bit_range(groups, symmetric) if bits == 1 else (groups.amin(-1), groups.amax(-1))
    return qparams_from_range(low, high, bits, symmetric, groups.shape[-1])


def matrix(groups: torch.Tensor) -> torch.Tensor:
    return groups.reshape(groups.shape[0], -1)


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 10**6),
    bits=st.integers(2, 16),
    symmetric=st.booleans(),
    power=st.floats(-6, 3),
    offset=st.sampled_from([-3.0, -1.0, 0.0, 0.5, 4.0]),
)
def test_error_is_at_most_half_a_scale(seed: int, bits: int, symmetric: bool, power: float, offset: float) -> None:
    groups = groups_of(seed, 10.0**power, offset)
    qparams = qparams_of(groups, bits, symmetric)
    error = (dequantize(quantize(matrix(groups), qparams), qparams) - matrix(groups)).abs().reshape(groups.shape)
    # Division and the final product round to float32 once each.
    slack = 1e-6 * groups.abs().amax(-1, keepdim=True)
    assert bool((error <= qparams.scale.unsqueeze(-1) / 2 + slack).all())


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), BITS, st.booleans(), st.sampled_from([1e-5, 1e-2, 1.0, 100.0]))
def test_codes_come_back(seed: int, bits: int, symmetric: bool, magnitude: float) -> None:
    qparams = qparams_of(groups_of(seed, magnitude), bits, symmetric)
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 2**bits, (3, 32), generator=generator).to(code_dtype(bits))
    assert torch.equal(quantize(dequantize(codes, qparams), qparams), codes)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), BITS, st.booleans())
def test_larger_weights_take_no_smaller_code(seed: int, bits: int, symmetric: bool) -> None:
    groups = groups_of(seed, 0.1, shape=(1, 1, 64))
    qparams = qparams_of(groups, bits, symmetric)
    codes = quantize(torch.linspace(-1, 1, 64)[None], qparams).long()
    assert bool((codes.diff() >= 0).all())
    assert 0 <= int(codes.min()) <= int(codes.max()) < 2**bits


@pytest.mark.parametrize("bits", [24, 31])
@pytest.mark.parametrize("symmetric", [False, True])
def test_wide_codes_reproduce_float32(bits: int, symmetric: bool) -> None:
    groups = groups_of(0, 0.1)
    qparams = qparams_of(groups, bits, symmetric)
    codes = quantize(matrix(groups), qparams)
    assert codes.dtype == torch.int32
    torch.testing.assert_close(dequantize(codes, qparams), matrix(groups), rtol=1e-6, atol=float(qparams.scale.max()))


def test_one_bit_levels_are_the_means() -> None:
    groups = groups_of(1, 0.05, shape=(4, 3, 64))
    symmetric = qparams_of(groups, 1, True)
    levels = dequantize(torch.tensor([[0, 1]] * 4, dtype=torch.uint8).repeat(1, 3), _pairs(symmetric)).reshape(4, 3, 2)
    mean = groups.abs().mean(-1)
    torch.testing.assert_close(levels, torch.stack([-mean, mean], -1), rtol=0.06, atol=0)  # the grid of scales

    asymmetric = qparams_of(groups, 1, False)
    levels = dequantize(torch.tensor([[0, 1]] * 4, dtype=torch.uint8).repeat(1, 3), _pairs(asymmetric)).reshape(4, 3, 2)
    above = groups > groups.mean(-1, keepdim=True)
    high = (groups * above).sum(-1) / above.sum(-1)
    low = (groups * ~above).sum(-1) / (~above).sum(-1)
    spread = float((high - low).max())
    torch.testing.assert_close(levels, torch.stack([low, high], -1), rtol=0, atol=spread * (1 / 16 + 0.06))


def _pairs(qparams: QParams) -> QParams:
    """The same groups, each two weights wide."""
    return QParams(qparams.bits, qparams.symmetric, 2, qparams.scale, qparams.zero_point)


def test_one_bit_of_one_sided_groups() -> None:
    constant = torch.full((1, 1, 16), 0.3)
    for groups in (constant, -constant):
        qparams = qparams_of(groups, 1, False)
        values = dequantize(quantize(matrix(groups), qparams), qparams)
        torch.testing.assert_close(values, matrix(groups), rtol=1e-3, atol=0)


@settings(deadline=None, max_examples=40)
@given(BITS, st.booleans())
def test_zero_groups_stay_zero(bits: int, symmetric: bool) -> None:
    groups = groups_of(0, 0.1)
    groups[0, 1] = 0
    qparams = qparams_of(groups, bits, symmetric)
    values = dequantize(quantize(matrix(groups), qparams), qparams).reshape(groups.shape)
    # One symmetric bit has no level 0; the smallest float16 stands for it.
    assert float(values[0, 1].abs().max()) <= (2.0**-24 if bits == 1 and symmetric else 0.0)
    if not (bits == 1 and symmetric):
        assert float(qparams.scale[0, 1]) == 1.0


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 8), st.booleans(), st.sampled_from([1e-30, 1e-9, 6e-8, 1e-6, 1e-4, 1.0, 2e4]))
def test_stored_scales_are_float16_and_cover_the_range(bits: int, symmetric: bool, magnitude: float) -> None:
    groups = groups_of(2, 1.0).clamp(-2, 2) * magnitude
    qparams = qparams_of(groups, bits, symmetric)
    assert torch.equal(qparams.scale.half().float(), qparams.scale)
    assert bool((qparams.scale > 0).all())
    low, high = -qparams.zero_point * qparams.scale, (top(bits, symmetric) - qparams.zero_point) * qparams.scale
    if bits > 1:
        half = 0 if symmetric else qparams.scale / 2
        assert bool((low - half <= groups.amin(-1)).all()) and bool((high + half >= groups.amax(-1)).all())


def test_one_outlier_is_kept() -> None:
    groups = groups_of(3, 0.01)
    groups[1, 0, 5] = 7.0
    for bits in range(2, 9):
        qparams = qparams_of(groups, bits, False)
        values = dequantize(quantize(matrix(groups), qparams), qparams).reshape(groups.shape)
        assert abs(float(values[1, 0, 5]) - 7.0) <= float(qparams.scale[1, 0]) / 2 + 1e-5


@pytest.mark.parametrize("value", [1e9, float("nan"), float("inf")])
def test_ranges_beyond_float16_scales_are_refused(value: float) -> None:
    with pytest.raises(QuantizationError):
        qparams_from_range(torch.tensor([[-1.0]]), torch.tensor([[value]]), 4, False, 16)


def test_scale_per_tensor_serves_every_row() -> None:
    weight = matrix(groups_of(4, 1.0))
    qparams = qparams_from_range(weight.min().reshape(1, 1), weight.max().reshape(1, 1), 8, False, 32)
    assert qparams.scale.shape == (1, 1)
    error = float((dequantize(quantize(weight, qparams), qparams) - weight).abs().max())
    assert error <= float(qparams.scale) / 2 + 1e-6


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = matrix(groups_of(5, 1.0, shape=(37, 2, 16)))
    qparams = qparams_of(weight.reshape(37, 2, 16), 3, False)
    whole = quantize(weight, qparams)
    monkeypatch.setattr("passes.numbers.affine._CHUNK", 100)
    assert torch.equal(quantize(weight, qparams), whole)
    assert torch.equal(dequantize(whole, qparams), dequantize(quantize(weight, qparams), qparams))


@settings(deadline=None, max_examples=40)
@given(st.floats(-50, 0), st.floats(0.1, 50), st.integers(2, 16), st.booleans())
def test_activations_follow_the_same_rule(low: float, high: float, bits: int, symmetric: bool) -> None:
    qparams = activation_qparams(low, high, bits, symmetric)
    assert qparams.scale.shape == (1, 1)
    assert qparams.group_size == 0
    row = QParams(bits, symmetric, 60, qparams.scale, qparams.zero_point)
    x = torch.linspace(low, high, 60)[None]
    assert float((dequantize(quantize(x, row), row) - x).abs().max()) <= float(qparams.scale) * 0.501
    zeros = torch.zeros(1, 60)
    assert torch.equal(dequantize(quantize(zeros, row), row), zeros)


def test_shapes_and_widths_are_checked() -> None:
    scale, zero = torch.ones(2, 2), torch.zeros(2, 2, dtype=torch.int32)
    with pytest.raises(QuantizationError, match="32 bits"):
        QParams(32, False, 16, scale, zero)
    with pytest.raises(QuantizationError, match="int32"):
        QParams(4, False, 16, scale, zero.long())
    with pytest.raises(QuantizationError, match="shapes"):
        QParams(4, False, 16, scale, zero[:1])
    with pytest.raises(QuantizationError, match="not finite"):
        QParams(4, False, 16, torch.zeros(2, 2), zero)
    with pytest.raises(QuantizationError, match="matrix of shape"):
        quantize(torch.zeros(2, 40), QParams(4, False, 16, scale, zero))
    with pytest.raises(QuantizationError, match="activations"):
        activation_qparams(-1, 1, bits=1)
    assert (step(1, True), step(1, False), step(2, True), top(1, False), top(4, True)) == (2, 8, 1, 8, 15)
