"""Metrics against their equations written out on all values at once."""

from __future__ import annotations

import pytest
import torch
from scipy import stats as reference

from passes.errors import MyqasrError
from passes.needs import NOTHING, LayerAlone, Needs
from passes.observe.observer import Observer, pool
from passes.sensitivity import REGISTRY
from passes.sensitivity.distances import DISTANCES
from passes.sensitivity.named import metric_of


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
    }
    assert set(expected) == set(REGISTRY) - set(DISTANCES)
    for name, value in expected.items():
        assert REGISTRY[name].of(seen) == pytest.approx(float(value), rel=4e-3), name


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
    }
    assert set(expected) == set(DISTANCES)
    for name, distance in DISTANCES.items():
        assert distance(first.log(), second.log()) == pytest.approx(expected[name], rel=1e-6), name
        assert distance(first.log(), first.log()) == pytest.approx(0, abs=1e-7)


def test_distances_have_a_width() -> None:
    assert metric_of("kl").role == metric_of("kl@8").role == LayerAlone("kl", 8)
    assert metric_of("spectral@3").needs == Needs(roles=frozenset({LayerAlone("spectral", 3)}))
    assert metric_of("fisher").needs == Needs(roles=frozenset({"gradient"})) and metric_of("median").needs == NOTHING
    for wrong in ("kl@0", "kl@9", "kl@x", "median@4", "kurtosis"):
        with pytest.raises(MyqasrError):
            metric_of(wrong)
