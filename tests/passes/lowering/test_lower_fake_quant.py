"""LowerToFakeQuant: plain ATen arithmetic on codes, at every width, that saves, loads and compiles."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable

import pytest
import torch
from torch import fx

from passes.base import Fact, Program
from passes.errors import PassOrderError
from passes.graph import meta
from passes.graph.layers import find_layers, nodes_of
from passes.lowering.lower_fake_quant import LowerToFakeQuant
from passes.manager.check_facts import verify
from passes.manager.manager import PassManager
from passes.numbers.scheme import TRELLIS_BITS, Granularity, WeightSpec, weight_spec
from passes.numbers.twin import Split, TwinQParams, round_twin

Rounded = Callable[..., Program]
GRANULARITIES = [Granularity("tensor"), Granularity("channel"), Granularity("group", 16)]
TOKENS = torch.arange(12).view(2, 6)
SIZE = TwinQParams(6, Split.SIZE, 1 / 32, 3)
SIGN = TwinQParams(6, Split.SIGN, 0.25, 4)


def with_dequantized_weights(program: Program) -> fx.GraphModule:
    """The float graph, its weights replaced by what their codes stand for."""
    module = program.clone().graphs["model"]
    for layer in find_layers(program):
        for owner, node in nodes_of(program, layer):
            weight = meta.get(node, meta.QUANTIZED_WEIGHT)
            if weight is not None and layer.weight is not None:
                path, _, name = layer.weight.rpartition(".")
                shape = owner.get_parameter(layer.weight).shape
                values = torch.nn.Parameter(weight.dequantize().reshape(shape), requires_grad=False)
                setattr(module.get_submodule(path), name, values)
    return module


def lowered(program: Program) -> fx.GraphModule:
    result = LowerToFakeQuant()(program)
    assert result.modified
    verify(result.program, frozenset({Fact.FAKE_QUANT}))
    return result.graph_module


@pytest.mark.parametrize("granularity", GRANULARITIES, ids=str)
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("bits", range(1, 9))
def test_every_width_computes_with_the_dequantized_weights(
    rounded: Rounded, bits: int, symmetric: bool, granularity: Granularity
) -> None:
    program = rounded(WeightSpec(bits, granularity, symmetric))
    expected = with_dequantized_weights(program)(TOKENS)
    assert torch.equal(lowered(program)(TOKENS), expected)


@pytest.mark.parametrize("granularity", GRANULARITIES[1:], ids=str)
@pytest.mark.parametrize("bits", TRELLIS_BITS)
def test_so_do_strings(rounded: Rounded, bits: int, granularity: Granularity) -> None:
    program = rounded(weight_spec(bits, granularity, False, "trellis"))
    expected = with_dequantized_weights(program)(TOKENS)
    assert torch.equal(lowered(program)(TOKENS), expected)


@pytest.mark.parametrize("bits", range(9, 32))
def test_so_does_every_width_that_no_file_holds(rounded: Rounded, bits: int) -> None:
    program = rounded(WeightSpec(bits, GRANULARITIES[bits % 3], symmetric=bits % 2 == 0))
    expected = with_dequantized_weights(program)(TOKENS)
    assert torch.equal(lowered(program)(TOKENS), expected)


@pytest.mark.parametrize(
    "specs",
    [
        (WeightSpec(5), WeightSpec(3)),
        (WeightSpec(16, half=True), WeightSpec(2)),
        (WeightSpec(4), WeightSpec(32)),
        (WeightSpec(12), WeightSpec(16, half=True), WeightSpec(1, symmetric=True)),
    ],
    ids=lambda specs: "+".join(str(s.bits) for s in specs),
)
def test_blocks_of_rows_mix(rounded: Rounded, specs: tuple[WeightSpec, ...]) -> None:
    program = rounded(*specs)
    expected = with_dequantized_weights(program)(TOKENS)
    assert torch.equal(lowered(program)(TOKENS), expected)


def test_wide_codes_come_close_to_the_model(rounded: Rounded, tiny_model: torch.nn.Module) -> None:
    module = lowered(rounded(WeightSpec(24)))
    torch.testing.assert_close(module(TOKENS), tiny_model(TOKENS), rtol=1e-5, atol=1e-5)


def test_a_tied_weight_stays_one(rounded: Rounded) -> None:
    module = lowered(rounded(WeightSpec(4)))
    assert len([n for n in module.graph.nodes if str(n.target).startswith("embed.weight")]) == 3
    assert {name for name, _ in module.named_buffers()} >= {"embed.weight_block0_codes", "fc.weight_block0_scale"}
    assert not any("weight" in name and "norm" not in name for name, _ in module.named_parameters())
    assert module.get_buffer("embed.weight_block0_codes").dtype == torch.uint8


@pytest.mark.parametrize(("bits", "activation_bits"), [(1, None), (4, 8), (8, None), (13, 6), (31, None)])
def test_saved_programs_are_the_same_bit_for_bit(rounded: Rounded, bits: int, activation_bits: int | None) -> None:
    module = lowered(rounded(WeightSpec(bits), WeightSpec(16, half=True), activation_bits=activation_bits))
    exported = torch.export.export(module, (TOKENS,))
    file = io.BytesIO()
    torch.export.save(exported, file)
    file.seek(0)
    loaded = torch.export.load(file)
    assert loaded.state_dict.keys() == exported.state_dict.keys()
    for name, tensor in exported.state_dict.items():
        assert torch.equal(loaded.state_dict[name], tensor) and loaded.state_dict[name].dtype == tensor.dtype
    assert torch.equal(loaded.module()(TOKENS), module(TOKENS))


@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which(os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")),
    reason="torch.compile's own backend needs a C++ compiler",
)
def test_compiles_whole(rounded: Rounded) -> None:
    module = lowered(rounded(WeightSpec(3), WeightSpec(12), activation_bits=8))
    compiled = torch.compile(module, fullgraph=True)
    torch.testing.assert_close(compiled(TOKENS), module(TOKENS), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_traces_without_a_graph_break(rounded: Rounded, backend: str) -> None:
    module = lowered(rounded(WeightSpec(3), WeightSpec(12), activation_bits=8))
    compiled = torch.compile(module, fullgraph=True, backend=backend)
    assert torch.equal(compiled(TOKENS), module(TOKENS))


@pytest.mark.parametrize("bits", [4, 8, 11])
def test_inputs_are_rounded_to_their_qparams(rounded: Rounded, bits: int) -> None:
    program = rounded(WeightSpec(8), activation_bits=bits)
    (fc,) = [n for _, _, n in program.nodes() if meta.get(n, meta.LAYER) == "fc"]
    (qparams,) = meta.get(fc, meta.ACTIVATION_QPARAMS)
    module = lowered(program)
    chain, node = [], fc.args[0]
    while len(chain) < 6:
        chain.append(node.target.__name__.split(".")[0])
        value, node = node, node.args[0]
    assert chain[::-1] == ["div", "round", "add", "clamp", "sub", "mul"]
    assert value.args[1] == float(qparams.scale)
    products = [n for n in module.graph.nodes if n.target is torch.ops.aten.matmul.default]
    rounded_inputs = sum(n.args[i].target is torch.ops.aten.mul.Tensor for n in products for i in (0, 1))
    assert len(products) == 2 and rounded_inputs >= 3  # of the second product only the left has statistics of its own


def by_size(values: torch.Tensor) -> torch.Tensor:
    return round_twin(values, [SIZE])[0]


def by_sign(values: torch.Tensor) -> torch.Tensor:
    return round_twin(values, [SIGN])[0]


def test_inputs_of_two_ranges_are_rounded_in_plain_steps(rounded: Rounded) -> None:
    program = rounded(WeightSpec(8))
    twins = {"attention": (by_size, SIZE), "fc": (by_sign, SIGN)}

    def find(module: fx.GraphModule) -> dict[str, fx.Node]:
        (softmax,) = module.graph.find_nodes(op="call_function", target=torch.ops.aten.softmax.int)
        (fc,) = [n for n in module.graph.nodes if meta.get(n, meta.LAYER) == "fc"]
        return {"attention": next(iter(softmax.users)), "fc": fc}

    for name, node in find(program.graphs["model"]).items():
        meta.put(node, meta.ACTIVATION_QPARAMS, (twins[name][1],))
    plain = with_dequantized_weights(program)
    for name, node in find(plain).items():
        with plain.graph.inserting_before(node):
            node.update_arg(0, plain.graph.call_function(twins[name][0], (node.args[0],)))
    plain.recompile()
    assert torch.equal(lowered(program)(TOKENS), plain(TOKENS))


def test_readers_of_one_input_share_its_rounding(rounded: Rounded) -> None:
    program = rounded(WeightSpec(8), activation_bits=8)
    (fc,) = [n for _, _, n in program.nodes() if meta.get(n, meta.LAYER) == "fc"]
    with fc.graph.inserting_after(fc):
        twin = fc.graph.node_copy(fc)
    fc.replace_all_uses_with(twin, delete_user_cb=lambda user: user is not twin)
    with fc.graph.inserting_after(twin):
        total = fc.graph.call_function(torch.ops.aten.add.Tensor, (fc, twin))
    twin.replace_all_uses_with(total, delete_user_cb=lambda user: user is not total)
    LowerToFakeQuant()(program)
    assert fc.args[0] is twin.args[0]


def test_the_source_of_what_is_replaced_stays_known(rounded: Rounded) -> None:
    program = rounded(WeightSpec(8), activation_bits=8)
    (fc,) = [n for _, _, n in program.nodes() if meta.get(n, meta.LAYER) == "fc"]
    lowered(program)
    assert fc.meta[meta.LAYER] == "fc" and fc.meta[meta.SCHEME].layer == "fc"
    for key in (meta.QUANTIZED_WEIGHT, meta.WEIGHT_QPARAMS, meta.ACTIVATION_QPARAMS):
        assert not any(meta.get(node, key) for _, _, node in program.nodes())


def test_a_second_run_changes_nothing(rounded: Rounded) -> None:
    program = rounded(WeightSpec(4), activation_bits=8)
    module = lowered(program)
    before = str(module.graph)
    assert not LowerToFakeQuant()(program).modified
    assert str(module.graph) == before


def test_a_program_in_float_stays_as_it_is(tiny_program: Program, rounded: Rounded) -> None:
    program = rounded(WeightSpec(32))
    before = str(program.graphs["model"].graph)
    assert not LowerToFakeQuant()(program).modified
    assert str(program.graphs["model"].graph) == before
    assert set(dict(program.graphs["model"].named_parameters())) >= {"embed.weight", "fc.weight"}


def test_must_come_after_rounding() -> None:
    with pytest.raises(PassOrderError, match="LowerToFakeQuant, requires rounded"):
        PassManager((LowerToFakeQuant(),), frozenset({Fact.CANONICAL}))
