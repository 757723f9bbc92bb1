"""Tensors that a graph writes into: their values are not what made them says."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import torch
from torch import fx

from passes.graph.ops import mutates


def written(graph: fx.Graph) -> tuple[fx.Node, ...]:
    """Nodes whose results the graph writes into, directly or through views of them, in the order of the writes."""
    return tuple(dict.fromkeys(root for node in graph.nodes if mutates(node) for root in _roots(node)))


def _roots(node: fx.Node) -> Iterator[fx.Node]:
    """What shares memory with the arguments that a node writes into, back to what made it."""
    schema = node.target._schema  # type: ignore[union-attr]  # mutates: an OpOverload
    for position, argument in enumerate(schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            given = node.args[position] if position < len(node.args) else node.kwargs.get(argument.name)
            while isinstance(given, fx.Node) and _is_view(given):
                given = given.args[0]
            if isinstance(given, fx.Node):
                yield given


def _is_view(node: fx.Node) -> bool:
    """The result shares memory with the first argument."""
    if node.target is operator.getitem:  # of several views, or of several results
        return isinstance(node.args[0], fx.Node) and _is_view(node.args[0])
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and any(r.alias_info is not None for r in target._schema.returns)
