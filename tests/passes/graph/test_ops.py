"""The operator tables agree with the operators' schemas."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from passes.graph import ops

aten = torch.ops.aten


@pytest.mark.parametrize("target", ops.QUANTIZABLE)
def test_roles_point_at_the_named_arguments(target: torch._ops.OpOverload) -> None:
    role, names = ops.QUANTIZABLE[target], [argument.name for argument in target._schema.arguments]
    assert role.arity <= len(names)
    if role.weight is not None:
        assert names[role.weight] == "weight" and role.weight_ndim
    assert [names[i] for i in role.activations] in ([], ["input"], ["self", "other"])
    assert target not in ops.NOT_CANONICAL


def test_operands_of_a_node() -> None:
    module = torch.export.export(nn.Linear(3, 2), (torch.randn(1, 3),)).module(check_guards=False)
    (node,) = module.graph.find_nodes(op="call_function", target=aten.linear.default)
    weight = ops.weight_node(node)
    assert weight is not None and weight.target == "weight"
    assert [n.op for n in ops.activation_nodes(node)] == ["placeholder"]
    (output,) = module.graph.find_nodes(op="output")
    assert ops.role_of(output) is None and ops.weight_node(output) is None and ops.activation_nodes(output) == ()


def test_arguments_are_bound_by_name_with_defaults() -> None:
    graph = torch.fx.Graph()
    x = graph.placeholder("x")
    node = graph.call_function(aten.conv1d.default, (x, x), {"stride": [2]})
    bound = ops.arguments(node)
    assert bound == {
        "input": x, "weight": x, "bias": None, "stride": [2], "padding": [0], "dilation": [1], "groups": 1
    }  # fmt: skip
    assert ops.arguments(x) == {}


def test_mutating_operators_are_known() -> None:
    graph = torch.fx.Graph()
    x = graph.placeholder("x")
    assert ops.mutates(graph.call_function(aten.relu_.default, (x,)))
    assert not ops.mutates(graph.call_function(aten.relu.default, (x,)))


UNARY = sorted((target for target in ops.HOMOGENEOUS | ops.POINTWISE if "dropout" not in str(target)), key=str)


@pytest.mark.parametrize("target", UNARY, ids=str)
def test_operators_on_each_number_alone_keep_an_order_and_some_a_factor(target: torch._ops.OpOverload) -> None:
    torch.manual_seed(0)
    x, order, factor = torch.randn(3, 8), torch.randperm(8), torch.rand(8) + 0.5
    torch.testing.assert_close(target(x[:, order]), target(x)[:, order])
    if target in ops.HOMOGENEOUS:
        torch.testing.assert_close(target(x * factor), target(x) * factor)
    else:
        assert not torch.allclose(target(x * factor), target(x) * factor)
