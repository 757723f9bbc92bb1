"""ReplaceParameters: other values under the same names, in all graphs that read them."""

from __future__ import annotations

import pytest
import torch

from passes.base import Program
from passes.canonical.canonicalize import Canonicalize
from passes.canonical.replace_parameters import ReplaceParameters
from passes.errors import PassError
from passes.graph.graph_edit import get_tensor
from passes.graph.layers import find_layers
from passes.manager.run_passes import run_passes

TOKENS = torch.arange(12).reshape(2, 6)


def test_the_graph_computes_with_the_values_given_and_the_one_it_came_from_does_not(tiny_program: Program) -> None:
    graph = tiny_program.graphs["model"]
    before, came = graph(TOKENS), get_tensor(graph, "norm.bias").clone()
    step = ReplaceParameters({"norm.bias": came + 0.5})
    program = run_passes(tiny_program, (step,))
    replaced = program.graphs["model"]
    assert torch.equal(get_tensor(replaced, "norm.bias"), came + 0.5)
    assert torch.equal(get_tensor(graph, "norm.bias"), came) and torch.equal(graph(TOKENS), before)
    assert not torch.allclose(replaced(TOKENS), before)
    assert get_tensor(replaced, "fc.weight") is get_tensor(graph, "fc.weight")  # no second copy of the rest
    assert find_layers(program) == find_layers(tiny_program)
    assert not get_tensor(replaced, "norm.bias").requires_grad


def test_modified_is_whether_a_value_changed(tiny_program: Program) -> None:
    value = get_tensor(tiny_program.graphs["model"], "norm.bias").clone()
    assert not ReplaceParameters({"norm.bias": value})(tiny_program.clone()).modified
    assert not ReplaceParameters({})(tiny_program.clone()).modified
    step = ReplaceParameters({"norm.bias": value + 1})
    result = step(tiny_program.clone())
    assert result.modified
    assert not step(result.program).modified


def test_a_tensor_that_two_graphs_read_stays_one(tiny_program: Program) -> None:
    (graph,) = tiny_program.graphs.values()
    both = Program({"one": graph, "two": tiny_program.clone().graphs["model"]}, tiny_program.facts)
    values = torch.ones(32)
    found = run_passes(both, (ReplaceParameters({"norm.bias": values}),))
    assert len({id(get_tensor(module, "norm.bias")) for module in found.graphs.values()}) == 1


@pytest.mark.parametrize(
    ("name", "tensor", "told"),
    [
        ("norm.bia", torch.zeros(32), "no graph reads norm.bia"),
        ("norm.bias", torch.zeros(33), r"norm.bias: \(33,\) of torch.float32 for \(32,\)"),
        ("norm.bias", torch.zeros(32, dtype=torch.float16), "float16 for"),
    ],
)
def test_what_does_not_fit_is_refused(tiny_program: Program, name: str, tensor: torch.Tensor, told: str) -> None:
    with pytest.raises(PassError, match=told):
        ReplaceParameters({name: tensor})(tiny_program.clone())


def test_graphs_as_captured_are_refused(tiny_program: Program) -> None:
    captured = Program(tiny_program.graphs)
    assert Canonicalize().provides - captured.facts
    with pytest.raises(PassError):
        run_passes(captured, (ReplaceParameters({}),))
