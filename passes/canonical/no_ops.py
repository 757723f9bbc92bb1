"""Nodes that change nothing at inference.

::

    dropout(x, p, train=False) = x          detach(x) = alias(x) = x
    to(x, its own dtype and device) = x     contiguous(x) = x     when x is row-major
    reshape(x, its own shape) = x           slice(x, dim, 0, end) = x     when nothing is cut
    clone(x) = x                            when no node of the graph writes in place
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import fx

from passes.graph import ops
from passes.graph.fake_values import is_contiguous, same_shape, tensor_of

aten = torch.ops.aten


def drop_no_ops(module: fx.GraphModule) -> bool:
    """Replaces every no-op by its input and deletes redundant assertions; True when one went."""
    graph = module.graph
    in_place = any(ops.mutates(node) and node.target not in ops.ALIASES | ops.DROPOUTS for node in graph.nodes)
    modified = False
    for node in list(graph.nodes):
        if node.target in ops.ASSERTIONS:
            graph.erase_node(node)
            modified = True
        elif node.op == "call_function" and is_no_op(node, in_place):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
            modified = True
    return modified


def is_no_op(node: fx.Node, in_place: bool) -> bool:
    """True when ``node`` equals its first argument.

    Args:
        node: A ``call_function`` node.
        in_place: True when the graph writes into tensors, so that a copy may not be shared.
    """
    target = node.target
    if not node.args or not isinstance(node.args[0], fx.Node) or (in_place and target in ops.COPIES):
        return False
    if target in ops.ALIASES:
        return True
    bound = ops.arguments(node)
    if target in ops.DROPOUTS:
        return not bound["train"] or bound["p"] == 0
    source, result = tensor_of(node.args[0]), tensor_of(node)
    if source is None or result is None:
        return False
    return _keeps_values(target, bound, source, result)


def _keeps_values(target: Any, bound: dict[str, Any], source: torch.Tensor, result: torch.Tensor) -> bool:
    """The rules that need shapes, types or layouts."""
    if target in ops.CASTS:
        return source.dtype == result.dtype and source.device == result.device and not bound.get("copy")
    if target in ops.COPIES:
        return True
    if target is aten.contiguous.default:
        return bound["memory_format"] is torch.contiguous_format and is_contiguous(source)
    if target in ops.RESHAPES:
        return same_shape(source, result)
    if target is aten.slice.Tensor:
        whole = bound["end"] is None or (isinstance(bound["end"], int) and bound["end"] >= sys.maxsize)
        return bound["start"] in (None, 0) and whole and bound["step"] == 1
    return False
