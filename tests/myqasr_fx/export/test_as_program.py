"""A graph is an exported program without another trace: the same operators, shapes and numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import fx

from myqasr_fx.capture.export import export_graph
from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.export.as_program import as_program
from passes.base import Program
from passes.graph.graph_edit import get_tensor
from passes.lowering.lower_qdq import LowerToQDQ
from passes.numbers.scheme import Granularity, WeightSpec


@pytest.fixture(scope="module", params=["small", "everything"])
def lowered(request: pytest.FixtureRequest, rounded: Callable[..., Program]) -> fx.GraphModule:
    program = rounded(request.param, WeightSpec(5, Granularity("group", 16)), WeightSpec(32)).clone()
    LowerToQDQ()(program)
    return program.graphs["model"]


def test_it_computes_the_same_and_leaves_the_graph_as_it_is(
    lowered: fx.GraphModule, tokens: Callable[[int], torch.Tensor]
) -> None:
    before = str(lowered.graph)
    program = as_program(lowered)
    stored = [get_tensor(lowered, name) for name in program.state_dict]
    x = tokens(0)
    expected, got = lowered(x), program.graph_module(*stored, x)
    assert str(lowered.graph) == before
    assert len(got) == len(expected) and all(map(torch.equal, got, expected))


def test_a_tensor_that_is_read_twice_is_one_input(signature: GraphSignature) -> None:
    graph = fx.Graph()
    x = graph.placeholder("tokens")
    x.meta["val"] = torch.empty(2, 3, device="meta")
    first, second = graph.get_attr("table"), graph.get_attr("table")
    for node in (first, second):
        node.meta["val"] = torch.empty(3, device="meta")
    total = graph.call_function(torch.ops.aten.add.Tensor, (first, second))
    total.meta["val"] = torch.empty(3, device="meta")
    graph.output(total)
    program = as_program(fx.GraphModule({"table": torch.ones(3)}, graph))
    assert list(program.state_dict) == ["table"]
    assert [spec.target for spec in program.graph_signature.input_specs] == ["table", None]
    assert len(program.graph.find_nodes(op="placeholder")) == 2


def test_what_passes_keep_of_values_is_what_a_trace_finds(lowered: fx.GraphModule, signature: GraphSignature) -> None:
    traced = export_graph(lowered, signature)
    ours = [node for node in as_program(lowered).graph.nodes if node.op == "call_function"]
    theirs = [node for node in traced.graph.nodes if node.op == "call_function"]
    assert _values(ours) == _values(theirs)


def _values(nodes: list[fx.Node]) -> list[tuple[str, str, str]]:
    tensors = [(node, node.meta["val"]) for node in nodes if isinstance(node.meta["val"], torch.Tensor)]
    return sorted((str(node.target), str(value.dtype), _sizes(value)) for node, value in tensors)


def _sizes(value: torch.Tensor) -> str:
    """Symbols have other names in another trace."""
    return str([size if isinstance(size, int) else "symbol" for size in value.shape])
