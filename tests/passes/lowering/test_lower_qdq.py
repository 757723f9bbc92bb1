"""LowerToQDQ: packed integers that compute what LowerToFakeQuant computes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch import fx, nn

from passes.base import Fact, Program
from passes.calibration.calibrate import Calibrate
from passes.canonical.canonicalize import Canonicalize
from passes.errors import PassOrderError, QuantizationError
from passes.graph import meta
from passes.graph.layers import find_layers, nodes_of
from passes.lowering.lower_fake_quant import LowerToFakeQuant
from passes.lowering.lower_qdq import LowerToQDQ
from passes.lowering.qdq_ops import FORM_FOLDED, FORM_INTEGER, FORM_MATMUL
from passes.manager.check_facts import verify
from passes.manager.manager import PassManager
from passes.numbers.scheme import TRELLIS_BITS, Granularity, LayerScheme, RowBlock, WeightSpec, weight_spec
from passes.numbers.twin import Split, TwinQParams
from passes.rounding.round_weights import RoundWeights

Rounded = Callable[..., Program]
GRANULARITIES = [Granularity("tensor"), Granularity("channel"), Granularity("group", 16)]
TOKENS = torch.arange(12).view(2, 6)
HALF = WeightSpec(16, half=True)
aten, ops = torch.ops.aten, torch.ops.myqasr


def lowered(program: Program) -> fx.GraphModule:
    result = LowerToQDQ()(program)
    assert result.modified
    verify(result.program, frozenset({Fact.QDQ}))
    return result.graph_module


def of(module: fx.GraphModule, *targets: object) -> list[fx.Node]:
    return [node for node in module.graph.nodes if node.target in targets]


def forms(module: fx.GraphModule) -> Counter[str]:
    return Counter(str(node.args[5]) for node in of(module, ops.dequantize_weight.default))


def check_equals_fake_quant(program: Program) -> fx.GraphModule:
    fake = LowerToFakeQuant()(program.clone()).graph_module
    module = lowered(program)
    with torch.no_grad():
        torch.testing.assert_close(module(TOKENS), fake(TOKENS), rtol=1e-5, atol=1e-5)
    return module


@pytest.mark.parametrize("granularity", GRANULARITIES, ids=str)
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("bits", range(1, 9))
def test_every_width_equals_fake_quant(rounded: Rounded, bits: int, symmetric: bool, granularity: Granularity) -> None:
    spec = WeightSpec(bits, granularity, symmetric)
    module = check_equals_fake_quant(rounded(spec))
    assert forms(module) == {FORM_MATMUL: 2, FORM_FOLDED: 1}
    if granularity.kind == "group":
        check_equals_fake_quant(rounded(spec, WeightSpec(9 - bits, granularity, symmetric)))


@pytest.mark.parametrize("granularity", GRANULARITIES[1:], ids=str)
@pytest.mark.parametrize("bits", TRELLIS_BITS)
def test_strings_equal_fake_quant(rounded: Rounded, bits: int, granularity: Granularity) -> None:
    spec = weight_spec(bits, granularity, False, "trellis")
    assert forms(check_equals_fake_quant(rounded(spec))) == {FORM_MATMUL: 2, FORM_FOLDED: 1}
    check_equals_fake_quant(rounded(spec, WeightSpec(9 - bits, granularity)))


def test_adjacent_blocks_of_strings_are_looked_up_together(rounded: Rounded) -> None:
    group = Granularity("group", 16)
    strings, other = [weight_spec(bits, group, False, "trellis") for bits in (2, 3)], WeightSpec(5, group)
    for specs, blocks in (([*strings, *strings], [4]), ([*strings, other, HALF, *strings], [2, 2])):
        module = check_equals_fake_quant(rounded(*specs))
        lookups = of(module, ops.dequantize_strings.default)
        assert [len(node.args[1]) for node in lookups] == blocks
        assert len(of(module, aten.where.self)) == (0 if len(blocks) == 1 else 3)
    channel = [weight_spec(3, Granularity("channel"), False, "trellis")]
    lookups = of(check_equals_fake_quant(rounded(*strings, *channel)), ops.dequantize_strings.default)
    assert [len(node.args[1]) for node in lookups] == [2, 1]  # of scales a row there are as many


@pytest.mark.parametrize("bits", [1, 4, 7])
@pytest.mark.parametrize("blocks", [(), (HALF,), (WeightSpec(2, Granularity("channel")), WeightSpec(32))])
def test_rounded_inputs_equal_fake_quant(rounded: Rounded, bits: int, blocks: tuple[WeightSpec, ...]) -> None:
    program = rounded(WeightSpec(bits, Granularity("channel")), *blocks, activation_bits=8)
    module = check_equals_fake_quant(program)
    assert forms(module)[FORM_MATMUL] == 0 and forms(module)[FORM_INTEGER] >= 2
    # conv, fc, both sides of two products, the tied output: each value once, however many blocks read it
    assert len(of(module, ops.quantize_dequantize.default)) <= 7


@pytest.mark.parametrize(
    "specs", [(HALF,), (HALF, WeightSpec(3)), (WeightSpec(3), WeightSpec(32)), (WeightSpec(1), HALF, WeightSpec(8))]
)
def test_float_blocks_mix_with_integer_ones(rounded: Rounded, specs: tuple[WeightSpec, ...]) -> None:
    check_equals_fake_quant(rounded(*specs))


def test_a_tied_weight_is_stored_once(rounded: Rounded) -> None:
    for specs in ((WeightSpec(5),), (WeightSpec(5), HALF)):
        module = lowered(rounded(*specs))
        stored = [name for name, _ in module.named_buffers() if name.startswith("embed")]
        expected = ["embed.weight_block0_packed", "embed.weight_block0_scale", "embed.weight_block0_zero_point"]
        assert stored == expected + ["embed.weight_block1"] * (len(specs) - 1)
        readers = {n.target for n in module.graph.nodes if n.op == "get_attr" and str(n.target).startswith("embed")}
        assert readers == set(stored)


def test_sizes_are_those_of_the_packed_codes(rounded: Rounded) -> None:
    module = lowered(rounded(WeightSpec(3, Granularity("group", 16))))
    sizes = {name: tensor.nbytes for name, tensor in module.named_buffers() if name.startswith("fc")}
    groups = 64 * 2
    assert sizes == {
        "fc.weight_block0_packed": 64 * 32 * 3 // 8,
        "fc.weight_block0_scale": 2 * groups,
        "fc.weight_block0_zero_point": groups * 3 // 8,
    }


@pytest.mark.parametrize(("bits", "nearest"), [(9, 8), (12, 8), (13, 16), (16, 16), (20, 16), (31, 32)])
def test_widths_that_no_file_holds_are_refused(rounded: Rounded, bits: int, nearest: int) -> None:
    message = rf"layer embed: integer codes of {bits} bits .*the nearest choice is {nearest};"
    with pytest.raises(QuantizationError, match=message):
        LowerToQDQ()(rounded(WeightSpec(bits)))


class Odd(nn.Module):
    """Widths that kernels or packed rows do not take, and a grouped convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 20)
        self.narrow = nn.Linear(20, 24, bias=False)
        self.fc = nn.Linear(24, 16)
        self.conv = nn.Conv1d(16, 8, 3, groups=4, stride=2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.conv(self.fc(self.narrow(self.embed(tokens))).transpose(1, 2))


@pytest.mark.parametrize("spec", [WeightSpec(3, symmetric=True), WeightSpec(5), WeightSpec(8, Granularity("tensor"))])
def test_odd_widths_are_folded(spec: WeightSpec) -> None:
    exported = torch.export.export(Odd().eval(), (TOKENS % 10,))
    program = Canonicalize()(exported.module(check_guards=False)).program
    for layer in find_layers(program):
        for _, node in nodes_of(program, layer):
            meta.put(node, meta.SCHEME, LayerScheme(layer.name, (RowBlock(0, layer.rows, spec),)))
    Calibrate()(program)
    RoundWeights()(program)
    fake = LowerToFakeQuant()(program.clone()).graph_module
    module = lowered(program)
    assert forms(module) == {FORM_FOLDED: 4}
    torch.testing.assert_close(module(TOKENS % 10), fake(TOKENS % 10), rtol=1e-5, atol=1e-6)


def test_what_is_known_of_a_layer_stays_on_its_result(rounded: Rounded) -> None:
    program = rounded(WeightSpec(4), WeightSpec(3), activation_bits=8)
    before = {n.name: n.meta.get("nn_module_stack") for _, _, n in program.nodes() if meta.get(n, meta.LAYER) == "fc"}
    module = lowered(program)
    (result,) = [n for n in module.graph.nodes if meta.get(n, meta.LAYER) == "fc"]
    assert result.target is aten.add.Tensor
    assert result.meta[meta.SCHEME].layer == "fc" and result.meta["val"].shape == (2, 6, 64)
    assert result.meta["nn_module_stack"] == next(iter(before.values()))
    for key in (meta.QUANTIZED_WEIGHT, meta.WEIGHT_QPARAMS, meta.ACTIVATION_QPARAMS):
        assert not any(meta.get(node, key) for node in module.graph.nodes)


def test_nothing_of_the_float_weights_stays(rounded: Rounded) -> None:
    module = lowered(rounded(WeightSpec(4)))
    assert {name for name, _ in module.named_parameters()}.isdisjoint({"embed.weight", "fc.weight", "conv.weight"})


def test_layers_in_float_are_left_alone(rounded: Rounded) -> None:
    program = rounded(WeightSpec(32))
    before = str(program.graphs["model"].graph)
    assert not LowerToQDQ()(program).modified
    assert str(program.graphs["model"].graph) == before


def test_two_ranges_of_an_activation_are_refused_with_the_reason(rounded: Rounded) -> None:
    program = rounded(WeightSpec(4, Granularity("channel")))
    (fc,) = [n for _, _, n in program.nodes() if meta.get(n, meta.LAYER) == "fc"]
    meta.put(fc, meta.ACTIVATION_QPARAMS, (TwinQParams(8, Split.SIGN, 0.1, 2),))
    with pytest.raises(QuantizationError, match=r"two ranges .* one scale and one zero point a tensor"):
        LowerToQDQ()(program)


def test_a_second_run_changes_nothing(rounded: Rounded) -> None:
    program = rounded(WeightSpec(4), WeightSpec(2), activation_bits=8)
    module = lowered(program)
    before = str(module.graph)
    assert not LowerToQDQ()(program).modified
    assert str(module.graph) == before


def test_must_come_after_rounding() -> None:
    with pytest.raises(PassOrderError, match="LowerToQDQ, requires rounded"):
        PassManager((LowerToQDQ(),), frozenset({Fact.CANONICAL}))
