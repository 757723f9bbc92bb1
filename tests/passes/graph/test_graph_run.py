"""Runs in stretches against the whole graph."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import fx, nn

from passes.base import Program
from passes.canonical.canonicalize import Canonicalize
from passes.errors import PassError
from passes.graph import meta
from passes.graph.graph_run import GraphRun


class Block(nn.Module):
    """A residual block of two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.up = nn.Linear(8, 16)
        self.down = nn.Linear(16, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 8) of (B, 8)."""
        return x + self.down(torch.relu(self.up(self.norm(x))))


class Stack(nn.Module):
    """Three blocks; a second result that the first does not need."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(3))
        self.extra = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 8) and (B, 2) of (B, 8) and (8,)."""
        extra = self.extra(x)
        for block in self.blocks:
            x = block(x) + bias
        return x, extra


@pytest.fixture
def module() -> fx.GraphModule:
    torch.manual_seed(0)
    exported = torch.export.export(Stack().eval(), inputs())
    return Canonicalize()(exported.module(check_guards=False)).graph_module


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    return torch.randn(4, 8, generator=random), torch.randn(8, generator=random)


def test_every_cut_leads_to_the_result(module: fx.GraphModule) -> None:
    run = GraphRun(module)
    expected = module(*inputs())[0]
    state = run.start(inputs())
    for cut in run.cuts:
        state = run.resume(state, cut)
        assert torch.equal(run.result(run.resume(state)), expected)
    assert torch.equal(run.result(run.resume(run.start(inputs()))), expected)


def test_cuts_lie_where_only_the_residual_stream_is_alive(module: fx.GraphModule) -> None:
    run = GraphRun(module)
    assert len(run.cuts) == 3
    for cut in run.cuts[1:]:
        values = run.resume(run.start(inputs()), cut).values
        assert len([node for node in values if node.op != "placeholder"]) == 1
    up = next(i for i, node in enumerate(run.steps) if meta.get(node, meta.LAYER) == "blocks.1.down")
    assert run.cut_before(up) == run.cuts[1]


def test_other_results_are_not_computed(module: fx.GraphModule) -> None:
    seen: list[str] = []

    def watch(node: fx.Node, args: tuple[Any, ...], result: Any) -> None:
        seen.append(meta.get(node, meta.LAYER))
        assert torch.is_tensor(args[0]) and torch.is_tensor(result)

    run = GraphRun(module)
    run.resume(run.start(inputs()), watch=watch)
    assert len(seen) == len(run.steps)
    assert {name for name in seen if name} == {f"blocks.{i}.{part}" for i in range(3) for part in ("up", "down")}


def test_a_weight_is_replaced_for_one_run(module: fx.GraphModule) -> None:
    run = GraphRun(module)
    state = run.resume(run.start(inputs()), run.cuts[1])
    other = {"blocks.1.up.weight": torch.zeros(16, 8)}
    got = run.result(run.resume(state, weights=other))
    kept = module.get_parameter("blocks.1.up.weight").data.clone()
    module.get_parameter("blocks.1.up.weight").data.zero_()
    assert torch.equal(got, module(*inputs())[0])
    module.get_parameter("blocks.1.up.weight").data.copy_(kept)
    assert torch.equal(run.result(run.resume(state)), module(*inputs())[0])


def test_a_tied_weight_and_a_product(tiny_program: Program) -> None:
    (graph,) = tiny_program.graphs.values()
    tokens = torch.arange(12).reshape(2, 6)
    run = GraphRun(graph)
    for cut in run.cuts:
        state = run.resume(run.start([tokens]), cut)
        assert torch.equal(run.result(run.resume(state)), graph(tokens))


def test_what_cannot_run_in_stretches(module: fx.GraphModule) -> None:
    run = GraphRun(module)
    with pytest.raises(PassError, match="1 inputs for a graph of 2"):
        run.start(inputs()[:1])
    (output,) = module.graph.find_nodes(op="output")
    with module.graph.inserting_before(output):
        node = module.graph.call_module("blocks", (output.args[0][0],))
    output.args = ((node,),)
    with pytest.raises(PassError, match="call_module cannot be run in stretches"):
        GraphRun(module)
    x, bias = module.graph.find_nodes(op="placeholder")
    with module.graph.inserting_before(output):
        node = module.graph.call_function(torch.ops.aten.add_.Tensor, (x, bias))
    output.args = ((node,),)
    with pytest.raises(PassError, match="changes a value that others read"):
        GraphRun(module)
