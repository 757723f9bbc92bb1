"""RankSensitivity on a model with every kind of layer."""

from __future__ import annotations

import pytest
import torch

from passes import meta
from passes.activation_stats import ActivationStats, Statistics
from passes.base import Program
from passes.errors import MyqasrError, PassError
from passes.layers import find_layers, nodes_of
from passes.rank_sensitivity import RankSensitivity
from passes.sensitivity import REGISTRY


def test_every_use_carries_the_sensitivity_of_its_layer(tiny_program: Program, tiny_statistics: Statistics) -> None:
    result = RankSensitivity(tiny_statistics)(tiny_program)
    assert result.modified
    for layer in find_layers(tiny_program):
        expected = tiny_statistics[layer.name, "output"].median_abs
        found = [meta.get(node, meta.SENSITIVITY) for _, node in nodes_of(tiny_program, layer)]
        assert found == [expected] * len(layer.uses)
    assert not RankSensitivity(tiny_statistics)(tiny_program).modified


def test_a_tied_weight_is_judged_by_its_product(tiny_program: Program, tiny_statistics: Statistics) -> None:
    RankSensitivity(tiny_statistics)(tiny_program)
    values = {
        str(node.target): meta.get(node, meta.SENSITIVITY)
        for _, _, node in tiny_program.nodes()
        if meta.get(node, meta.LAYER) == "embed"
    }
    assert len(values) == 2
    logits = tiny_statistics["embed", "output"].median_abs
    assert set(values.values()) == {logits} != {tiny_statistics["embed", "embedding:output"].median_abs}


def test_layers_without_statistics_are_named(tiny_program: Program, tiny_statistics: Statistics) -> None:
    missing = {port: stats for port, stats in tiny_statistics.items() if port != ("fc", "output")}
    with pytest.raises(PassError, match="layer fc has no statistics"):
        RankSensitivity(missing)(tiny_program)
    with pytest.raises(MyqasrError, match="unknown sensitivity 'kurtosis'"):
        RankSensitivity(tiny_statistics, "kurtosis")(tiny_program)


def test_metrics() -> None:
    values = torch.tensor([-3.0, -1.0, 0.5, 2.0, 2.5])
    stats = ActivationStats(5, -3.0, 2.5, float(values.mean()), float(values.std(correction=0)), 2.0)
    found = {name: metric(stats) for name, metric in REGISTRY.items()}
    expected = {
        "median": 2.0,
        "mean": float(values.mean()),
        "max": 2.5,
        "abs_max": 3.0,
        "std": float(values.std(correction=0)),
        "var": float(values.var(correction=0)),
    }
    assert found == pytest.approx(expected)
