"""One spelling for each quantizable operator; ``passes.graph.ops`` lists it.

::

    addmm(b, x, t(W)) -> linear(x, W, b)              mm(x, t(W)) = matmul(x, t(W)) -> linear(x, W)
    convolution(x, W, b, ..., not transposed) -> conv1d(x, W, b, ...)           when W has three dimensions
    conv1d.padding(x, W, b, s, "same") -> conv1d(x, W, b, s, [d (k - 1) / 2])   when d (k - 1) is even
                                                 conv2d, with four dimensions, the same
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


def _convolution(module: fx.GraphModule, node: fx.Node) -> bool:
    bound = ops.arguments(node)
    weight = tensor_of(bound["weight"])
    if weight is None or weight.dim() - 2 not in _CONVOLUTIONS or bound.get("transposed"):
        return False
    axes = weight.dim() - 2
    stride, dilation = _each(bound["stride"], axes), _each(bound["dilation"], axes)
    padding = bound["padding"]
    if isinstance(padding, str):
        reach = [step * (int(size) - 1) for step, size in zip(dilation, weight.shape[2:], strict=True)]
        if padding not in ("same", "valid") or (padding == "same" and any(each % 2 for each in reach)):
            return False
        padding = [each // 2 if padding == "same" else 0 for each in reach]
    operands = (bound["input"], bound["weight"], bound["bias"])
    sizes = (stride, _each(padding, axes), dilation)
    return _respell(node, _CONVOLUTIONS[axes], (*operands, *sizes, bound["groups"]))


def _each(value: int | Sequence[int], axes: int) -> list[int]:
    """A size for every axis; a single one is that of all."""
    given = [value] if isinstance(value, int) else list(value)
    return given * axes if len(given) == 1 else given


_CONVOLUTIONS: dict[int, Any] = {1: aten.conv1d.default, 2: aten.conv2d.default}
"""Spatial axes to the operator."""

RULES: dict[Any, Callable[[fx.GraphModule, fx.Node], bool]] = {
    aten.linear.default: _linear,
    aten.addmm.default: _addmm,
    aten.baddbmm.default: _baddbmm,
    aten.embedding.default: _embedding,
    aten.conv1d.default: _convolution,
    aten.conv1d.padding: _convolution,
    aten.conv2d.default: _convolution,
    aten.conv2d.padding: _convolution,
    aten.convolution.default: _convolution,
    **dict.fromkeys(ops.PRODUCTS, _product),
    **dict.fromkeys(ops.VIEWS, _reshape),
}
"""Operator to the rule that respells it."""
