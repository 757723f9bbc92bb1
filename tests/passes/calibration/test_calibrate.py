"""Calibrate: qparams of weights at each granularity, and of the inputs that are quantized."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from passes.base import Program
from passes.calibration import REGISTRY
from passes.calibration.calibrate import Calibrate, weight_qparams
from passes.calibration.rows_read import LayerRows, RowsRead
from passes.canonical.canonicalize import Canonicalize
from passes.errors import MyqasrError, PassError, QuantizationError
from passes.graph import meta, ops
from passes.graph.layers import find_layers, nodes_of
from passes.numbers.affine import QParams, activation_qparams
from passes.numbers.scheme import Granularity, LayerScheme, RowBlock, WeightSpec
from passes.numbers.twin import Split, TwinQParams
from passes.observe.activation_stats import ActivationStats, Statistics

MIN_MAX = REGISTRY["min_max"]


def annotate(program: Program, specs: dict[str, WeightSpec]) -> Program:
    for layer in find_layers(program):
        if layer.weight is None:
            continue
        scheme = LayerScheme(layer.name, (RowBlock(0, layer.rows, specs.get(layer.name, WeightSpec(4))),))
        for _, node in nodes_of(program, layer):
            meta.put(node, meta.SCHEME, scheme)
    return program


def of_layer(program: Program, name: str, key: str) -> Iterator[tuple[ops.LayerKind, Any]]:
    for layer in find_layers(program):
        if layer.name == name:
            for _, node in nodes_of(program, layer):
                role = ops.role_of(node)
                assert role is not None
                yield role.kind, meta.get(node, key)


@pytest.mark.parametrize(
    ("granularity", "shape"),
    [("tensor", (1, 1)), ("channel", (8, 1)), ("group:16", (8, 6)), ("group:64", (8, 3))],
)
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("bits", [1, 4, 8, 11])
def test_shapes_follow_the_granularity(granularity: str, shape: tuple[int, int], symmetric: bool, bits: int) -> None:
    weight = torch.randn(8, 32, 3, generator=torch.Generator().manual_seed(0))
    spec = WeightSpec(bits, Granularity.parse(granularity), symmetric)
    (qparams,) = weight_qparams(weight, LayerScheme("conv", (RowBlock(0, 8, spec),)), MIN_MAX)
    assert qparams is not None
    assert tuple(qparams.scale.shape) == shape
    assert qparams.group_size == (96 if granularity in ("tensor", "channel") else 96 // shape[1])
    assert (qparams.bits, qparams.symmetric) == (bits, symmetric)


def test_min_max_scale_is_the_paper_s() -> None:
    weight = torch.tensor([[-1.0, 3.0, 0.0, 0.5]])
    scheme = LayerScheme("fc", (RowBlock(0, 1, WeightSpec(4, Granularity("channel"))),))
    (qparams,) = weight_qparams(weight, scheme, MIN_MAX)
    assert qparams is not None
    assert float(qparams.scale) == pytest.approx(4 / 15, rel=1e-3)
    assert int(qparams.zero_point) == 4


def test_blocks_are_calibrated_apart_and_float_ones_skipped() -> None:
    weight = torch.cat([torch.full((2, 16), 0.1), torch.full((2, 16), 10.0), torch.ones(2, 16)])
    tensor = Granularity("tensor")
    specs = (WeightSpec(8, tensor), WeightSpec(4, tensor), WeightSpec(32))
    blocks = tuple(RowBlock(2 * i, 2 * i + 2, spec) for i, spec in enumerate(specs))
    first, second, third = weight_qparams(weight, LayerScheme("fc", blocks), MIN_MAX)
    assert first is not None and second is not None and third is None
    assert float(first.scale) == pytest.approx(0.1 / 255, rel=1e-3)
    assert float(second.scale) == pytest.approx(10 / 15, rel=1e-3)


def test_weights_that_cannot_be_quantized_name_their_layer() -> None:
    scheme = LayerScheme("fc", (RowBlock(0, 2, WeightSpec(4, Granularity("channel"))),))
    with pytest.raises(QuantizationError, match="layer fc: the range to quantize holds NaN"):
        weight_qparams(torch.tensor([[1.0, 2.0], [float("nan"), 1.0]]), scheme, MIN_MAX)
    with pytest.raises(QuantizationError, match="keep this layer in float"):
        weight_qparams(torch.full((2, 4), 1e8), scheme, MIN_MAX)
    with pytest.raises(QuantizationError, match="scheme of 2 rows, expected 3"):
        weight_qparams(torch.ones(3, 4), scheme, MIN_MAX)


def test_uses_share_qparams_and_activations_stay_float(tiny_program: Program) -> None:
    assert Calibrate()(annotate(tiny_program, {"conv": WeightSpec(32)})).modified
    (_, first), (_, second) = of_layer(tiny_program, "embed", meta.WEIGHT_QPARAMS)
    assert first is second is not None
    assert [value for _, value in of_layer(tiny_program, "conv", meta.WEIGHT_QPARAMS)] == [None]
    assert all(meta.get(node, meta.ACTIVATION_QPARAMS) is None for _, _, node in tiny_program.nodes())


def test_inputs_of_products_are_calibrated_when_asked(tiny_program: Program, tiny_statistics: Statistics) -> None:
    annotate(tiny_program, {"conv": WeightSpec(32)})
    Calibrate(activation_bits=8, statistics=tiny_statistics)(tiny_program)
    found = dict(of_layer(tiny_program, "embed", meta.ACTIVATION_QPARAMS))
    assert found[ops.LayerKind.EMBEDDING] is None
    (qparams,) = found[ops.LayerKind.LINEAR]
    stats = tiny_statistics["embed", "input:0"]
    expected = activation_qparams(stats.min, stats.max)
    assert torch.equal(qparams.scale, expected.scale) and torch.equal(qparams.zero_point, expected.zero_point)
    products = [layer for layer in find_layers(tiny_program) if layer.weight is None]
    assert products
    for layer in products:
        ((_, pair),) = of_layer(tiny_program, layer.name, meta.ACTIVATION_QPARAMS)
        assert len(pair) == 2
    # A float weight multiplies a float input.
    assert [value for _, value in of_layer(tiny_program, "conv", meta.ACTIVATION_QPARAMS)] == [None]


def test_missing_schemes_statistics_and_methods(tiny_program: Program, tiny_statistics: Statistics) -> None:
    with pytest.raises(PassError, match="layer embed has no scheme"):
        Calibrate()(tiny_program)
    annotate(tiny_program, {})
    with pytest.raises(PassError, match="layer embed has no statistics of input:0"):
        Calibrate(activation_bits=8)(tiny_program)
    with pytest.raises(MyqasrError, match="unknown calibration"):
        Calibrate("bogus")(tiny_program)
    with pytest.raises(PassError, match="layer embed has no rows of input:0"):
        Calibrate("mse", 8, statistics=tiny_statistics)(tiny_program)


@pytest.mark.parametrize("method", ["min_max", "l2_norm"])
def test_the_operand_that_a_softmax_makes_has_two_ranges(
    method: str, tiny_program: Program, tiny_statistics: Statistics
) -> None:
    annotate(tiny_program, {})
    (node,) = tiny_program.graphs["model"].graph.find_nodes(op="call_function", target=torch.ops.aten.softmax.int)
    (layer,) = [meta.get(user, meta.LAYER) for user in node.users]
    statistics = {**tiny_statistics, (layer, "input:1"): tiny_statistics["fc", "input:0"]}
    with pytest.raises(PassError, match=f"layer {layer} has no rows of input:0"):
        Calibrate(method, 8, "twin", statistics)(tiny_program)
    random = torch.Generator().manual_seed(0)
    read = LayerRows((torch.randn(6, 6, generator=random).softmax(-1),), (torch.randn(32, 6, generator=random),))
    Calibrate(method, 8, "twin", statistics, RowsRead({layer: read}))(tiny_program)
    ((_, (weights, values)),) = of_layer(tiny_program, layer, meta.ACTIVATION_QPARAMS)
    assert isinstance(weights, TwinQParams) and weights.split is Split.SIZE and isinstance(values, QParams)
    ((_, (inputs,)),) = of_layer(tiny_program, "fc", meta.ACTIVATION_QPARAMS)
    assert isinstance(inputs, QParams)


class Makers(nn.Module):
    """A convolution and a linear layer behind a GELU each, a product and a linear layer behind a softmax each."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(8, 8, 3, padding=1), nn.Conv1d(8, 8, 3, padding=1)
        self.up, self.down, self.mixed = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 8, T) to (B, T, 8)."""
        gelu = nn.functional.gelu
        x = self.second(gelu(self.first(x))).transpose(1, 2)
        x = self.down(gelu(self.up(x)))
        return self.mixed(torch.softmax(torch.softmax(x @ x.transpose(1, 2), -1) @ x, -1))


def test_two_ranges_are_for_products_behind_a_softmax_and_linear_layers_behind_a_gelu() -> None:
    torch.manual_seed(0)
    example = (torch.randn(2, 8, 5),)
    exported = torch.export.export(Makers().eval(), example)
    program = annotate(Canonicalize()(exported.module(check_guards=False)).program, {})
    seen = ActivationStats(9, -0.1, 1.0, 0.1, 0.2, 0.1)
    layers = [layer.name for layer in find_layers(program)]
    statistics = {(name, f"input:{index}"): seen for name in layers for index in (0, 1)}
    read = LayerRows((torch.rand(4, 5),), (torch.rand(8, 5),))
    rows = RowsRead(dict.fromkeys(layers, read))
    Calibrate("min_max", 8, "twin", statistics, rows)(program)
    found = {name: next(of_layer(program, name, meta.ACTIVATION_QPARAMS)) for name in layers}
    twins = {
        (kind, name if kind is not ops.LayerKind.MATMUL else "", index): qparams.split
        for name, (kind, inputs) in found.items()
        for index, qparams in enumerate(inputs)
        if isinstance(qparams, TwinQParams)
    }
    assert {"first", "second", "up", "down", "mixed"} <= set(found) and len(found) == 7
    assert twins == {(ops.LayerKind.LINEAR, "down", 0): Split.SIGN, (ops.LayerKind.MATMUL, "", 0): Split.SIZE}


def test_sampled_layers_are_searched_once_and_others_take_their_range(
    tiny_program: Program, tiny_statistics: Statistics
) -> None:
    statistics = tiny_statistics
    annotate(tiny_program, {"fc": WeightSpec(3, Granularity("tensor")), "embed": WeightSpec(32)})
    inputs = torch.randn(20, 32, generator=torch.Generator().manual_seed(0))
    rows = RowsRead({"fc": LayerRows((inputs,))})
    step = Calibrate("l2_norm", 8, statistics=statistics, rows=rows)
    step(tiny_program)
    ((_, (weights,)),) = of_layer(tiny_program, "fc", meta.WEIGHT_QPARAMS)
    ((_, (activations,)),) = of_layer(tiny_program, "fc", meta.ACTIVATION_QPARAMS)
    plain = activation_qparams(statistics["fc", "input:0"].min, statistics["fc", "input:0"].max)
    assert weights.scale.shape == (1, 1) and not torch.equal(activations.scale, plain.scale)
    product = next(layer.name for layer in find_layers(tiny_program) if layer.weight is None)
    ((_, pair),) = of_layer(tiny_program, product, meta.ACTIVATION_QPARAMS)
    assert len(pair) == 2  # no rows: by its range
    assert len(rows.searched) == 1
    step(tiny_program)
    ((_, (again,)),) = of_layer(tiny_program, "fc", meta.WEIGHT_QPARAMS)
    assert again is weights
