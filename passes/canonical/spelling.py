"""One spelling for each quantizable operator; ``passes.graph.ops`` lists it.

::

    addmm(b, x, t(W)) -> linear(x, W, b)              mm(x, t(W)) = matmul(x, t(W)) -> linear(x, W)
    convolution(x, W, b, ..., not transposed) -> conv1d(x, W, b, ...)           when W has three dimensions
    conv1d.padding(x, W, b, s, "same") -> conv1d(x, W, b, s, [d (k - 1) / 2])   when d (k - 1) is even
    bmm(a, b) = mm(a, b) -> matmul(a, b)              baddbmm(c, a, b) -> matmul(a, b) + c
    view(x, shape) -> reshape(x, shape)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx

from passes.canonical.weights import constant, weight_attribute
from passes.graph import ops
from passes.graph.fake_values import fake_mode, fill, tensor_of
from passes.graph.graph_edit import call

aten = torch.ops.aten


def spell(module: fx.GraphModule) -> bool:
    """Rewrites every node that has another spelling; True when one changed."""
    modified = False
    for node in list(module.graph.nodes):
        rule = RULES.get(node.target) if node.op == "call_function" else None
        modified |= rule is not None and rule(module, node)
    return modified


def _respell(node: fx.Node, target: Any, args: Sequence[Any]) -> bool:
    """Makes ``node`` a call of ``target``; its value stays the same."""
    if node.target == target and tuple(node.args) == tuple(args) and not node.kwargs:
        return False
    node.target = target
    node.args = tuple(args)
    node.kwargs = {}
    return True


def _linear(module: fx.GraphModule, node: fx.Node) -> bool:
    bound = ops.arguments(node)
    return _respell(node, aten.linear.default, (bound["input"], bound["weight"], bound["bias"]))


def _embedding(module: fx.GraphModule, node: fx.Node) -> bool:
    bound = ops.arguments(node)
    return _respell(node, aten.embedding.default, (bound["weight"], bound["indices"]))


def _reshape(module: fx.GraphModule, node: fx.Node) -> bool:
    return _respell(node, aten.reshape.default, tuple(ops.arguments(node).values()))


def _transposed_weight(module: fx.GraphModule, node: fx.Node, right: object) -> fx.Node | None:
    """The (N, K) attribute behind the constant right operand (K, N) of a product."""
    tensor = constant(module, right)
    if tensor is None or tensor.dim() != 2 or not isinstance(right, fx.Node):
        return None
    return weight_attribute(module, tensor.t(), node, right)


def _product(module: fx.GraphModule, node: fx.Node) -> bool:
    """``mm``, ``bmm`` and ``matmul``: a linear layer when the right operand is a constant matrix."""
    left, right = tuple(ops.arguments(node).values())[:2]
    weight = _transposed_weight(module, node, right)
    if weight is not None:
        return _respell(node, aten.linear.default, (left, weight, None))
    return _respell(node, aten.matmul.default, (left, right))


def _addmm(module: fx.GraphModule, node: fx.Node) -> bool:
    bound = ops.arguments(node)
    bias = tensor_of(bound["self"])
    if bound["alpha"] != 1 or bound["beta"] != 1 or bias is None or bias.dim() != 1:
        return False
    right = tensor_of(bound["mat2"])
    weight = None
    if right is not None and bias.shape[0] == right.shape[1]:
        weight = _transposed_weight(module, node, bound["mat2"])
    if weight is None:
        return False
    return _respell(node, aten.linear.default, (bound["mat1"], weight, bound["self"]))


def _baddbmm(module: fx.GraphModule, node: fx.Node) -> bool:
    bound = ops.arguments(node)
    if bound["alpha"] != 1 or bound["beta"] not in (0, 1):
        return False
    operands = (bound["batch1"], bound["batch2"])
    if bound["beta"] == 0:
        return _respell(node, aten.matmul.default, operands)
    with module.graph.inserting_before(node):
        product = fill(call(module.graph, aten.matmul.default, *operands, like=node), fake_mode(module.graph))
    return _respell(node, aten.add.Tensor, (product, bound["self"]))


def _conv1d(module: fx.GraphModule, node: fx.Node) -> bool:
    bound = ops.arguments(node)
    weight = tensor_of(bound["weight"])
    if weight is None or weight.dim() != 3 or bound.get("transposed"):
        return False
    stride, padding, dilation = bound["stride"], bound["padding"], bound["dilation"]
    if isinstance(padding, str):
        reach = _one(dilation) * (int(weight.shape[2]) - 1)
        if padding not in ("same", "valid") or (padding == "same" and reach % 2):
            return False
        padding = [reach // 2 if padding == "same" else 0]
    sizes = [[_one(value)] for value in (stride, padding, dilation)]
    operands = (bound["input"], bound["weight"], bound["bias"])
    return _respell(node, aten.conv1d.default, (*operands, *sizes, bound["groups"]))


def _one(value: int | Sequence[int]) -> int:
    """The only element of a one-dimensional size."""
    return value if isinstance(value, int) else int(value[0])


RULES: dict[Any, Callable[[fx.GraphModule, fx.Node], bool]] = {
    aten.linear.default: _linear,
    aten.addmm.default: _addmm,
    aten.baddbmm.default: _baddbmm,
    aten.embedding.default: _embedding,
    aten.conv1d.default: _conv1d,
    aten.conv1d.padding: _conv1d,
    aten.convolution.default: _conv1d,
    **dict.fromkeys(ops.PRODUCTS, _product),
    **dict.fromkeys(ops.VIEWS, _reshape),
}
"""Operator to the rule that respells it."""
