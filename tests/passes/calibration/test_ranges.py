"""Ranges by percentile and by squared error."""

from __future__ import annotations

import pytest
import torch

from passes.calibration import REGISTRY, mse
from passes.calibration.method import ActivationRange
from passes.numbers.affine import activation_qparams, dequantize, qparams_from_range, quantize
from passes.numbers.factors import FACTORS
from passes.observe.activation_stats import ActivationStats

GROUPS = torch.randn(6, 2, 64, generator=torch.Generator().manual_seed(0)).pow(3)


def seen(values: torch.Tensor, bits: int = 4) -> ActivationRange:
    stats = ActivationStats(len(values), float(values.min()), float(values.max()), 0.0, 1.0, 1.0)
    return ActivationRange(stats, values, bits)


def error(values: torch.Tensor, low: float, high: float, bits: int) -> float:
    qparams = activation_qparams(low, high, bits)
    scale, zero_point = float(qparams.scale), int(qparams.zero_point)
    codes = ((values / scale).round() + zero_point).clamp(0, 2**bits - 1)
    return float(((codes - zero_point) * scale - values).square().sum())


@pytest.mark.parametrize("shape", [(6, 2, 64), (1, 1, 768)])
def test_percentiles(shape: tuple[int, ...]) -> None:
    groups = GROUPS.reshape(shape)
    low, high = REGISTRY["percentile"].weight(groups, 4, False)
    assert torch.allclose(low, groups.quantile(1e-4, dim=-1), rtol=1e-5)
    assert torch.allclose(high, groups.quantile(1 - 1e-4, dim=-1), rtol=1e-5)
    values = torch.arange(-10_000, 10_001) / 10
    assert REGISTRY["percentile"].activation(seen(values)) == pytest.approx((-999.8, 999.8))


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_smallest_squared_error_of_weights(symmetric: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mse, "_CHUNK", 300)
    low, high = REGISTRY["mse"].weight(GROUPS, 3, symmetric)

    def errors(low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        qparams = qparams_from_range(low, high, 3, symmetric, 64)
        values = GROUPS.reshape(6, -1)
        return (dequantize(quantize(values, qparams), qparams) - values).square().reshape(6, 2, 64).sum(-1)

    whole = GROUPS.amin(-1), GROUPS.amax(-1)
    tried = torch.stack([errors(whole[0] * factor, whole[1] * factor) for factor in FACTORS])
    assert torch.allclose(errors(low, high), tried.amin(0))


def test_the_smallest_squared_error_of_activations() -> None:
    values = GROUPS.reshape(-1)
    found = REGISTRY["mse"].activation(seen(values))
    tried = [error(values, float(values.min()) * f, float(values.max()) * f, 4) for f in FACTORS]
    assert error(values, *found, 4) == pytest.approx(min(tried), rel=1e-4)


@pytest.mark.parametrize("method", ["percentile", "mse"])
def test_one_bit_keeps_its_two_levels(method: str) -> None:
    for symmetric in (False, True):
        expected = REGISTRY["min_max"].weight(GROUPS, 1, symmetric)
        found = REGISTRY[method].weight(GROUPS, 1, symmetric)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
