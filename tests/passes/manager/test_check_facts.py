"""A sound program of every stage passes; each kind of damage is found and named."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import fx

from passes.base import Fact, Program
from passes.calibration.calibrate import Calibrate
from passes.errors import VerificationError
from passes.graph import meta
from passes.graph.layers import find_layers, nodes_of
from passes.lowering.lower_fake_quant import LowerToFakeQuant
from passes.manager.check_facts import verify
from passes.numbers.quantized_weight import QuantizedBlock, QuantizedWeight
from passes.numbers.scheme import Granularity, LayerScheme, RowBlock, WeightSpec
from passes.observe.activation_stats import Statistics
from passes.observe.insert_observers import InsertObservers
from passes.rounding.round_weights import RoundWeights
from passes.sensitivity.rank_sensitivity import RankSensitivity

aten = torch.ops.aten
CANONICAL = frozenset({Fact.CAPTURED, Fact.CANONICAL})
ROUNDED = CANONICAL | {Fact.SENSITIVITY, Fact.SCHEME, Fact.QPARAMS, Fact.ROUNDED}
SPECS = {
    "embed": (WeightSpec(4, Granularity("group", 16)), WeightSpec(3, Granularity("group", 16))),
    "conv": (WeightSpec(16, half=True),),
    "fc": (WeightSpec(1, Granularity("tensor"), symmetric=True),),
}


def node_of(program: Program, layer: str) -> fx.Node:
    """The last node of a layer."""
    return [node for _, _, node in program.nodes() if meta.get(node, meta.LAYER) == layer][-1]


def with_scheme(program: Program) -> Program:
    for layer in find_layers(program):
        if layer.weight is None:
            continue
        specs, half = SPECS[layer.name], layer.rows // 2
        bounds = [(0, layer.rows)] if len(specs) == 1 else [(0, half), (half, layer.rows)]
        blocks = tuple(RowBlock(*rows, spec) for rows, spec in zip(bounds, specs, strict=True))
        for _, node in nodes_of(program, layer):
            meta.put(node, meta.SCHEME, LayerScheme(layer.name, blocks))
    return program


@pytest.fixture
def rounded(tiny_program: Program, tiny_statistics: Statistics) -> Program:
    """A program that went through every annotation."""
    RankSensitivity(tiny_statistics)(tiny_program)
    with_scheme(tiny_program)
    Calibrate(activation_bits=8, statistics=tiny_statistics)(tiny_program)
    RoundWeights()(tiny_program)
    return tiny_program


def test_every_stage_passes(tiny_program: Program, rounded: Program) -> None:
    verify(rounded, ROUNDED)
    LowerToFakeQuant()(rounded)
    verify(rounded, (ROUNDED - LowerToFakeQuant.removes) | LowerToFakeQuant.provides)


def test_a_missing_attribute_is_named(tiny_program: Program) -> None:
    del tiny_program.graphs["model"].fc.weight
    with pytest.raises(VerificationError, match=r"graph model: malformed: .*fc_weight"):
        verify(tiny_program, frozenset())


def test_a_malformed_graph_is_named(tiny_program: Program) -> None:
    graph = tiny_program.graphs["model"].graph
    first, last = next(iter(graph.nodes)), node_of(tiny_program, "embed")
    first.append(last)
    with pytest.raises(VerificationError, match="graph model: malformed"):
        verify(tiny_program, frozenset())


def test_observers_belong_to_observed_programs(tiny_program: Program) -> None:
    with pytest.raises(VerificationError, match="layer embed: no observer looks at the result"):
        verify(tiny_program, CANONICAL | {Fact.OBSERVED})
    InsertObservers()(tiny_program)
    verify(tiny_program, CANONICAL | {Fact.OBSERVED})
    with pytest.raises(VerificationError, match=r"observers, myqasr_observers.* and is not observed"):
        verify(tiny_program, CANONICAL)


def respell(program: Program) -> None:
    node_of(program, "fc").kwargs = {"bias": None}


def view(program: Program) -> None:
    graph, node = program.graphs["model"].graph, node_of(program, "fc")
    with graph.inserting_after(node):
        graph.call_function(aten.view.default, (node, [-1]))


def computed_weight(program: Program) -> None:
    graph, node = program.graphs["model"].graph, node_of(program, "fc")
    with graph.inserting_before(node):
        node.update_arg(1, graph.call_function(aten.neg.default, (node.args[1],)))


def read_twice(program: Program) -> None:
    graph = program.graphs["model"].graph
    with graph.inserting_before(node_of(program, "fc")):
        graph.get_attr("fc.weight")


def rename(program: Program) -> None:
    node_of(program, "fc").meta[meta.LAYER] = "conv"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (respell, "node linear: 3 arguments and 1 keywords, expected 3"),
        (view, "aten.view.default is no canonical spelling"),
        (computed_weight, "layer without a weight attribute of 2 dimensions"),
        (read_twice, "fc.weight is read by two nodes"),
        (rename, "layer conv: node linear"),
    ],
)
def test_graphs_that_are_not_canonical(tiny_program: Program, damage: Callable[..., None], message: str) -> None:
    damage(tiny_program)
    with pytest.raises(VerificationError, match=message):
        verify(tiny_program, CANONICAL)


@pytest.mark.parametrize("fact", [Fact.SENSITIVITY, Fact.QPARAMS, Fact.ROUNDED])
def test_annotations_need_their_fact(rounded: Program, fact: Fact) -> None:
    with pytest.raises(VerificationError, match=f"although the program is not {fact}"):
        verify(rounded, ROUNDED - {fact})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (meta.SENSITIVITY, float("nan"), "sensitivity nan, expected a finite number"),
        (meta.SENSITIVITY, None, "sensitivity None"),
        (meta.SENSITIVITY, 5.0, "sensitivity 5.0, expected 0"),
        (meta.SCHEME, None, "layer embed of 48 rows: scheme None"),
        (meta.SCHEME, LayerScheme("embed", (RowBlock(0, 47, WeightSpec(4)),)), "48 rows: scheme"),
        (meta.SCHEME, LayerScheme("fc", (RowBlock(0, 48, WeightSpec(4)),)), "48 rows: scheme"),
        (meta.WEIGHT_QPARAMS, None, "expected qparams of 2 blocks"),
        (meta.WEIGHT_QPARAMS, (None,), "expected qparams of 2 blocks"),
        (meta.WEIGHT_QPARAMS, (None, None), "rows 0:24: qparams None"),
        (meta.ACTIVATION_QPARAMS, (None, None), "qparams of 2 inputs"),
        (meta.QUANTIZED_WEIGHT, None, r"expected codes of shape \(48, 32\)"),
    ],
)
def test_wrong_annotations(rounded: Program, key: str, value: object, message: str) -> None:
    node_of(rounded, "embed").meta[key] = value
    with pytest.raises(VerificationError, match=message):
        verify(rounded, ROUNDED)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bits": 5}, "5 bits, symmetric False, expected"),
        ({"group_size": 32}, r"scale \(24, 2\) by group 32, expected \(24, 2\) by 16"),
        ({"scale": torch.ones(24, 1), "zero_point": torch.zeros(24, 1, dtype=torch.int32)}, r"scale \(24, 1\) by"),
        ({"zero_point": torch.full((24, 2), 16, dtype=torch.int32)}, "zero points 16 to 16, expected 0 to 15"),
    ],
)
def test_qparams_must_fit_their_block(rounded: Program, changes: dict[str, object], message: str) -> None:
    node = node_of(rounded, "embed")
    first, second = node.meta[meta.WEIGHT_QPARAMS]
    node.meta[meta.WEIGHT_QPARAMS] = (dataclasses.replace(first, **changes), second)
    with pytest.raises(VerificationError, match=f"layer embed, rows 0:24: {message}"):
        verify(rounded, ROUNDED)


def test_codes_must_fit_their_width(rounded: Program) -> None:
    node = node_of(rounded, "embed")
    weight = node.meta[meta.QUANTIZED_WEIGHT]
    block = weight.blocks[0]
    codes = block.codes.clone()
    codes[3, 3] = 16
    broken = QuantizedWeight(weight.shape, (QuantizedBlock(block.rows, codes, block.qparams), *weight.blocks[1:]))
    for _, user in nodes_of(rounded, find_layers(rounded)[0]):
        user.meta[meta.QUANTIZED_WEIGHT] = broken
    with pytest.raises(VerificationError, match="layer embed: codes beyond 4 bits"):
        verify(rounded, ROUNDED)
