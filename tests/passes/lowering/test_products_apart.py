"""Which products get an axis more, and which stay as they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import fx

from passes.lowering.products_apart import stands_apart

aten, ops = torch.ops.aten, torch.ops.myqasr
Reads = Callable[[fx.Graph, fx.Node], fx.Node]


def given(graph: fx.Graph, x: fx.Node) -> fx.Node:
    return x


def looked_up(graph: fx.Graph, x: fx.Node) -> fx.Node:
    return graph.call_function(ops.dequantize_rows.default, (x,))


def linear(shape: tuple[int, ...], bias: bool, reads: Reads, reader: object) -> fx.Node:
    """A ``linear`` of what ``reads`` makes of an input, with a result of ``shape`` that ``reader`` reads."""
    graph = fx.Graph()
    x, weight, vector = (graph.placeholder(name) for name in ("x", "weight", "bias"))
    node = graph.call_function(aten.linear.default, (reads(graph, x), weight, *([vector] if bias else [])))
    node.meta["val"] = torch.empty(shape, device="meta")
    graph.output(graph.call_function(reader, (node,)))  # type: ignore[arg-type]
    return node


@pytest.mark.parametrize(
    "reader", [aten.relu.default, aten.relu_.default, aten.clamp.default, aten.clamp_min.default, aten.hardtanh.default]
)
def test_what_is_clipped(reader: object) -> None:
    assert stands_apart(linear((2, 3, 4), False, given, reader))
    assert not stands_apart(linear((2, 3, 4), True, given, reader))  # the bias is added in between


@pytest.mark.parametrize("reader", [aten.gelu.default, aten.tanh.default, aten.view.default, aten.leaky_relu.default])
def test_what_is_read_by_others(reader: object) -> None:
    assert not stands_apart(linear((2, 4), False, given, reader))


@pytest.mark.parametrize("reader", [aten.add.Tensor, aten.add_.Tensor])
def test_two_axes_and_a_sum(reader: object) -> None:
    assert stands_apart(linear((3, 4), False, given, reader))
    assert not stands_apart(linear((2, 3, 4), False, given, reader))
    assert not stands_apart(linear((3, 4), False, given, aten.sub.Tensor))


def test_two_axes_and_a_bias() -> None:
    assert stands_apart(linear((3, 4), True, given, aten.tanh.default))
    assert not stands_apart(linear((2, 3, 4), True, given, aten.tanh.default))


def test_rows_of_known_lengths_that_were_looked_up() -> None:
    assert stands_apart(linear((2, 3, 4), True, looked_up, aten.tanh.default))
    assert not stands_apart(linear((2, 3, 4), False, looked_up, aten.tanh.default))


def test_rows_of_unknown_lengths_stay() -> None:
    batch = torch.export.Dim("batch", min=2)
    exported = torch.export.export(torch.nn.Identity(), (torch.zeros(2, 3, 4),), dynamic_shapes=({0: batch},))
    (x,) = [node for node in exported.graph.nodes if node.op == "placeholder"]
    node = linear((2, 3, 4), True, looked_up, aten.tanh.default)
    node.meta["val"] = x.meta["val"]
    assert not stands_apart(node)
    node.meta["val"] = None
    assert not stands_apart(node)
