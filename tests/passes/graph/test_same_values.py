"""Nodes that compute the same."""

from __future__ import annotations

import torch
from torch import fx

from passes.graph.same_values import same_values


def test_chains_of_the_same_calls_are_one_value() -> None:
    graph = fx.Graph()
    x, y = graph.placeholder("x"), graph.placeholder("y")
    first, again, other = (graph.call_function(torch.ops.aten.relu.default, (each,)) for each in (x, x, y))
    chain = [graph.call_function(torch.ops.aten.cat.default, ([each, other], -1)) for each in (first, again)]
    axis = graph.call_function(torch.ops.aten.cat.default, ([first, other], 0))
    swapped = graph.call_function(torch.ops.aten.cat.default, ([other, first], -1))
    graph.output((*chain, axis, swapped))
    same = same_values(graph)
    assert same[again] is first and same[chain[1]] is chain[0]
    alone = (x, y, first, other, chain[0], axis, swapped)
    assert all(same[node] is node for node in alone)
    assert len(set(same.values())) == len(alone) + 1, "with the output"
