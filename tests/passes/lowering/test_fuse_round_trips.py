"""FuseRoundTrips: the same values, bit for bit, in fewer calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import fx

from passes.base import Fact, Program
from passes.errors import PassOrderError
from passes.lowering.fuse_round_trips import FuseRoundTrips, there_and_back
from passes.lowering.lower_fake_quant import LowerToFakeQuant
from passes.manager.manager import PassManager
from passes.numbers.scheme import Granularity, WeightSpec

aten = torch.ops.aten
TOKENS = torch.arange(12).view(2, 6)
SPECS = (WeightSpec(5, Granularity("tensor"), False), WeightSpec(3, Granularity("channel"), True))


def in_steps(value: torch.Tensor, scale: float, zero_point: int, top: int) -> torch.Tensor:
    return ((value / scale).round().add(zero_point).clamp(0, top) - zero_point) * scale


def chain(scales: tuple[float, float] = (0.1, 0.1), points: tuple[int, int] = (3, 3), low: int = 0) -> fx.GraphModule:
    graph = fx.Graph()
    value = graph.placeholder("x")
    steps = (
        (aten.div.Tensor, scales[0]),
        (aten.round.default,),
        (aten.add.Tensor, points[0]),
        (aten.clamp.default, low, 15),
        (aten.sub.Tensor, points[1]),
        (aten.mul.Tensor, scales[1]),
    )
    for op, *args in steps:
        value = graph.call_function(op, (value, *args))
    graph.output(value)
    return fx.GraphModule(torch.nn.Module(), graph)


def calls(module: fx.GraphModule) -> list[object]:
    return [node.target for node in module.graph.nodes if node.op == "call_function"]


@pytest.mark.parametrize("bits", [4, 8])
def test_a_lowered_model_computes_the_same_bits(rounded: Callable[..., Program], bits: int) -> None:
    program = rounded(*SPECS, activation_bits=bits)
    LowerToFakeQuant()(program)
    module = program.graphs["model"]
    rounds = calls(module).count(aten.round.default)
    with torch.no_grad():
        expected = module(TOKENS)
        result = PassManager((FuseRoundTrips(),), frozenset({Fact.FAKE_QUANT}))(program)
        fused = module(TOKENS)
    assert result.modified
    assert torch.equal(fused, expected)
    assert calls(module).count(there_and_back) == rounds > 0
    assert aten.round.default not in calls(module)


def test_fusing_twice_changes_nothing(rounded: Callable[..., Program]) -> None:
    program = rounded(*SPECS, activation_bits=8)
    LowerToFakeQuant()(program)
    FuseRoundTrips()(program)
    assert not FuseRoundTrips()(program).modified


def test_floating_point_activations_leave_nothing_to_fuse(rounded: Callable[..., Program]) -> None:
    program = rounded(*SPECS)
    LowerToFakeQuant()(program)
    assert not FuseRoundTrips()(program).modified


@pytest.mark.parametrize(
    "other", [{"scales": (0.1, 0.2)}, {"points": (3, 4)}, {"low": 1}], ids=["scale", "zero point", "smallest code"]
)
def test_what_only_looks_like_a_round_trip_stays(other: dict[str, object]) -> None:
    assert FuseRoundTrips()(chain()).modified
    assert not FuseRoundTrips()(chain(**other)).modified  # type: ignore[arg-type]


def test_codes_that_something_else_reads_stay() -> None:
    module = chain()
    clamp = next(node for node in module.graph.nodes if node.target is aten.clamp.default)
    (output,) = module.graph.find_nodes(op="output")
    output.args = ((output.args[0], clamp),)
    assert not FuseRoundTrips()(module).modified


def test_source_information_is_kept() -> None:
    module = chain()
    last = next(node for node in module.graph.nodes if node.target is aten.mul.Tensor)
    last.meta["stack_trace"] = "here"
    FuseRoundTrips()(module)
    (fused,) = (node for node in module.graph.nodes if node.target is there_and_back)
    assert fused.meta["stack_trace"] == "here"


def test_nothing_to_round() -> None:
    assert there_and_back(torch.empty(2, 0), 0.1, 3, 15).shape == (2, 0)


@given(
    st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=40),
    st.floats(2.0**-10, 8, width=32),
    st.integers(0, 255),
)
def test_the_steps_in_one_call(values: list[float], scale: float, zero_point: int) -> None:
    value = torch.tensor(values)
    assert torch.equal(there_and_back(value, scale, zero_point, 255), in_steps(value, scale, zero_point, 255))


@pytest.mark.parametrize("layout", ["rows", "columns", "strided", "repeated"])
def test_any_layout_is_kept(layout: str) -> None:
    value = torch.randn(3, 200, 300, generator=torch.Generator().manual_seed(0))
    shapes = {
        "rows": value,
        "columns": value.transpose(1, 2),
        "strided": value[:, ::2],
        "repeated": value[:, :1].expand(3, 200, 300),
    }
    given, expected = shapes[layout], in_steps(shapes[layout], 0.037, 101, 255)
    result = there_and_back(given, 0.037, 101, 255)
    assert torch.equal(result, expected)
    assert result.stride() == expected.stride()


def test_it_follows_the_lowering() -> None:
    with pytest.raises(PassOrderError, match="FuseRoundTrips, requires fake_quant"):
        PassManager((FuseRoundTrips(),))
