"""RankSensitivity on a model with every kind of layer."""

from __future__ import annotations

import pytest

from passes.base import Program
from passes.errors import MyqasrError, PassError
from passes.graph import meta
from passes.graph.layers import find_layers, nodes_of
from passes.needs import LayerAlone
from passes.observe.activation_stats import ActivationStats, Statistics
from passes.sensitivity.rank_sensitivity import RankSensitivity


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


def test_a_metric_of_weights_gives_products_nothing(tiny_program: Program) -> None:
    seen = {
        (layer.name, role): ActivationStats(2, 0.0, 0.3, 0.1 + i, 0.1, 0.1)
        for i, layer in enumerate(find_layers(tiny_program))
        for role in ("gradient", LayerAlone("kl", 4))
        if layer.weight is not None
    }
    for metric, of in (("kl@4", lambda s: s.mean), ("fisher", lambda s: s.mean**2 + s.std**2)):
        RankSensitivity(seen, metric)(tiny_program)
        for layer in find_layers(tiny_program):
            expected = 0.0 if layer.weight is None else of(seen[layer.name, "gradient"])
            assert {meta.get(node, meta.SENSITIVITY) for _, node in nodes_of(tiny_program, layer)} == {expected}
    with pytest.raises(PassError, match="layer embed has no statistics of its kl@8"):
        RankSensitivity(seen, "kl")(tiny_program)
