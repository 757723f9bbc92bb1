"""Streaming statistics against those of all values at once."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from passes.errors import QuantizationError
from passes.observe import observer as module
from passes.observe.activation_stats import MEDIAN_RELATIVE_ERROR, ActivationStats
from passes.observe.observer import BINS, Observer, pool


def observed(*batches: torch.Tensor) -> ActivationStats:
    watcher = Observer(())
    for batch in batches:
        watcher(batch)
    return pool([watcher])


def check(stats: ActivationStats, values: torch.Tensor) -> None:
    """Exact ends and count, median within the stated bound, moments within float32 rounding."""
    values = values.reshape(-1).double()
    exact = values.abs().median().item()
    assert (stats.count, stats.min, stats.max) == (values.numel(), values.min().item(), values.max().item())
    assert abs(stats.median_abs - exact) <= MEDIAN_RELATIVE_ERROR * exact + 2.0**-133
    scale = values.abs().max().item() + 1e-30
    assert abs(stats.mean_abs - values.abs().mean().item()) <= 1e-5 * scale
    assert abs(stats.mean - values.mean().item()) <= 1e-5 * scale
    assert abs(stats.std - values.std(correction=0).item()) <= 1e-3 * scale
    if stats.std > 1e-2 * scale:
        standard = (values - values.mean()) / values.std(correction=0)
        assert stats.skewness == pytest.approx(standard.pow(3).mean().item(), rel=1e-2, abs=1e-2)
        assert stats.kurtosis == pytest.approx(standard.pow(4).mean().item(), rel=1e-2, abs=1e-2)


floats = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**60), max_value=2.0**60)


@given(st.lists(st.lists(floats, max_size=40), min_size=1, max_size=5).filter(lambda batches: any(batches)))
@example([[0.0, 9.749883722804952e-29]])  # its square is no float32
@example([[0.0, 2.0**-31, 2.0**51]])
@settings(max_examples=150, deadline=None)
def test_any_values_in_any_batches(batches: list[list[float]]) -> None:
    tensors = [torch.tensor(batch, dtype=torch.float32) for batch in batches]
    check(observed(*tensors), torch.cat(tensors))


@given(seed=st.integers(0, 1000), spread=st.floats(1e-6, 1e6), offset=st.floats(-1e3, 1e3))
@settings(max_examples=50, deadline=None)
def test_activation_like_values(seed: int, spread: float, offset: float) -> None:
    values = torch.randn(3, 50, 7, generator=torch.Generator().manual_seed(seed)) * spread + offset
    check(observed(*values), values)


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, -3.5, 1e-38, 1e-42, 3e38])
def test_constant_values(value: float) -> None:
    values = torch.full((5,), value)
    stats = observed(values)
    exact = values.abs().double()[0].item()
    assert abs(stats.median_abs - exact) <= MEDIAN_RELATIVE_ERROR * exact + 2.0**-133
    assert stats.min == stats.max == values[0].item()


def test_the_spread_of_values_far_from_zero_is_not_lost() -> None:
    values = torch.randn(200_000, generator=torch.Generator().manual_seed(0)) * 0.01 + 100
    assert observed(values).std == pytest.approx(values.double().std(correction=0).item(), rel=1e-3)


def test_layout_type_and_empty_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 7)
    values = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)).half().float()
    stats = observed(torch.empty(0, 5), values[:3].t(), torch.empty(3, 0), values[3:].half(), torch.empty(0))
    check(stats, values)
    assert observed(values[:1].expand(4, 5)).count == 20
    assert observed(values.double()) == observed(values)


def test_pooled_observers_are_one() -> None:
    values = torch.randn(40, generator=torch.Generator().manual_seed(0)) + 3
    one, two = Observer(()), Observer(())
    one(values[:5])
    two(values[5:])
    check(pool([one, Observer(()), two]), values)


def test_nothing_observed_is_an_error() -> None:
    watcher = Observer(())
    watcher(torch.empty(0))
    with pytest.raises(QuantizationError, match="no value was observed"):
        pool([watcher])


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), float("nan")])
def test_values_that_are_not_finite_are_counted_and_refused(value: float) -> None:
    with pytest.raises(QuantizationError, match="2 of 4 values are not finite"):
        observed(torch.tensor([1.0, value, 2.0]), torch.tensor([value]))


def test_memory_does_not_grow_and_values_are_left_alone() -> None:
    watcher, values = Observer(()), torch.randn(100, 3)
    before = values.clone()
    for _ in range(20):
        watcher(values)
    assert watcher.histogram.shape == (BINS,) and not watcher.state_dict()
    assert torch.equal(values, before)
    assert pool([copy.deepcopy(watcher)]) == pool([watcher])
