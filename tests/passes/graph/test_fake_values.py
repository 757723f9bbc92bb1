"""Shapes without computing."""

from __future__ import annotations

import torch
from torch import nn
from torch.export import Dim

from passes.graph.fake_values import fake_mode, fill, is_contiguous, same_shape, tensor_of
from passes.graph.graph_edit import call, get_attr

aten = torch.ops.aten


def exported() -> torch.fx.GraphModule:
    graph = torch.export.export(nn.Linear(4, 3), (torch.randn(2, 4),), dynamic_shapes=({0: Dim("batch")},))
    return graph.module(check_guards=False)


def test_a_new_node_gets_its_shape_even_beside_values_of_another_mode() -> None:
    graph = exported().graph
    (linear,) = graph.find_nodes(op="call_function", target=aten.linear.default)
    with graph.inserting_after(linear):
        constant = get_attr(graph, "bias", torch.zeros(3))
    with graph.inserting_after(constant):
        node = fill(call(graph, aten.add.Tensor, linear, constant), fake_mode(graph))
    value, source = tensor_of(node), tensor_of(linear)
    assert value is not None and source is not None and same_shape(value, source)
    assert isinstance(value.shape[0], torch.SymInt)


def test_unknown_arguments_leave_the_value_unset() -> None:
    graph = exported().graph
    (linear,) = graph.find_nodes(op="call_function", target=aten.linear.default)
    del linear.meta["val"]
    with graph.inserting_after(linear):
        node = fill(call(graph, aten.relu.default, linear), fake_mode(graph))
    assert tensor_of(node) is None and tensor_of("no node") is None
    assert fake_mode(torch.fx.Graph()) is None


def test_contiguity() -> None:
    x = torch.empty(2, 3, 4)
    assert is_contiguous(x) and is_contiguous(x[:1]) and is_contiguous(torch.empty(2, 1, 4).transpose(0, 1))
    assert not is_contiguous(x.transpose(1, 2)) and not is_contiguous(x[:, :2])


def test_shapes() -> None:
    assert same_shape(torch.empty(2, 3), torch.empty(2, 3))
    assert not same_shape(torch.empty(2, 3), torch.empty(3, 2)) and not same_shape(torch.empty(2), torch.empty(2, 1))
