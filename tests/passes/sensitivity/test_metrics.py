"""Metrics against their equations written out on all values at once."""

from __future__ import annotations

import pytest
import torch
from scipy import stats as reference

from passes.errors import MyqasrError
from passes.needs import NOTHING, LayerAlone, Needs
from passes.observe.activation_stats import ActivationStats
from passes.observe.observer import Observer, pool
from passes.sensitivity import REGISTRY
from passes.sensitivity.distances import DISTANCES
from passes.sensitivity.named import metric_of
from passes.sensitivity.normal_test import k_squared


@pytest.fixture
def values() -> torch.Tensor:
    return torch.randn(3000, generator=torch.Generator().manual_seed(0)).pow(3) + 0.2


def test_statistics_and_gradients(values: torch.Tensor) -> None:
    watcher = Observer(())
    watcher(values)
    seen = pool([watcher])
    exact = values.double()
    expected = {
        "median": exact.abs().quantile(0.5, interpolation="lower"),
        "mean": exact.mean(),
        "max": exact.max(),
        "abs_max": exact.abs().max(),
        "std": exact.std(correction=0),
        "var": exact.var(correction=0),
        "normality": reference.jarque_bera(exact.numpy()).statistic / len(values),
        "grad": exact.abs().quantile(0.5, interpolation="lower"),
        "fisher": exact.square().mean(),
        "mean_abs": exact.abs().mean(),
        "std_abs": exact.abs().std(correction=0),
        "var_abs": exact.abs().var(correction=0),
        "normaltest": reference.normaltest(exact.numpy()).statistic,
        "grad_output": exact.mean(),
    }
    assert set(expected) == set(REGISTRY) - set(DISTANCES)
    for name, value in expected.items():
        assert REGISTRY[name].of(seen) == pytest.approx(float(value), rel=4e-3), name


@pytest.mark.parametrize("count", [8, 20, 500, 100_000])
@pytest.mark.parametrize("power", [1, 3])
def test_k_squared_from_moments_is_scipy_s(count: int, power: int) -> None:
    sample = torch.randn(count, generator=torch.Generator().manual_seed(count), dtype=torch.float64).pow(power)
    values = sample.numpy()
    moments = {"skewness": reference.skew(values), "kurtosis": reference.kurtosis(values, fisher=False)}
    seen = ActivationStats(count, -1.0, 1.0, 0.0, 1.0, 0.5, **moments)
    assert k_squared(seen) == pytest.approx(reference.normaltest(values).statistic, rel=1e-6)


def test_what_is_normal_scores_lower(values: torch.Tensor) -> None:
    scores = []
    for sample in (torch.randn(3000, generator=torch.Generator().manual_seed(1)), values):
        watcher = Observer(())
        watcher(sample)
        scores.append(REGISTRY["normality"].of(pool([watcher])))
    assert scores[0] < 0.01 < scores[1]


@pytest.mark.parametrize("shape", [(4, 11), (11, 4)])
def test_distances(shape: tuple[int, int]) -> None:
    random = torch.Generator().manual_seed(0)
    first, second = (torch.randn(shape, generator=random, dtype=torch.float64).softmax(-1) for _ in range(2))
    apart = first - second
    expected = {
        "kl": sum(reference.entropy(p, q) for p, q in zip(first.numpy(), second.numpy(), strict=True)) / shape[0],
        "l1": sum(float(row.abs().sum()) for row in apart) / shape[0],
        "l2": sum(float(row.square().sum().sqrt()) for row in apart) / shape[0],
        "frobenius": float(apart.square().sum().sqrt()),
        "spectral": float(torch.linalg.svdvals(apart).sum()),
        "frobenius_norms": abs(float(first.square().sum().sqrt() - second.square().sum().sqrt())),
        "spectral_norms": abs(float(torch.linalg.svdvals(first).sum() - torch.linalg.svdvals(second).sum())),
    }
    assert set(expected) == set(DISTANCES)
    for name, distance in DISTANCES.items():
        assert distance(first.log(), second.log()) == pytest.approx(expected[name], rel=1e-6), name
        assert distance(first.log(), first.log()) == pytest.approx(0, abs=1e-7)


def test_distances_have_a_width() -> None:
    assert metric_of("kl").role == metric_of("kl@8").role == LayerAlone("kl", 8)
    assert metric_of("spectral@3").needs == Needs(roles=frozenset({LayerAlone("spectral", 3)}))
    assert metric_of("fisher").needs == Needs(roles=frozenset({"gradient"})) and metric_of("median").needs == NOTHING
    assert metric_of("kl@w4a8").role == LayerAlone("kl", 4, 8) and str(LayerAlone("kl", 4, 8)) == "kl@w4a8"
    assert metric_of("grad_output").needs == Needs(roles=frozenset({"output gradient"}))
    for wrong in ("kl@w4", "kl@w9a8", "kl@w4a3", "kl@0", "kl@9", "kl@x", "median@4", "kurtosis"):
        with pytest.raises(MyqasrError):
            metric_of(wrong)
