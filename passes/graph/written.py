"""Tensors that a graph writes into: their values are not what made them says."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import torch
from torch import fx

from passes.graph.fake_values import is_contiguous, tensor_of
from passes.graph.ops import DROPOUTS, mutates

aten = torch.ops.aten

_ARRANGED = frozenset((aten.contiguous, aten.reshape, aten.flatten, aten.ravel))
"""Operators that copy what lies in memory otherwise than they give it."""


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
    source = node.args[0] if node.args else None
    if not isinstance(source, fx.Node):
        return False
    if node.target is operator.getitem:  # of several views, or of several results
        return _is_view(source)
    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return False
    shares = target in DROPOUTS or any(r.alias_info is not None for r in target._schema.returns)
    return shares and not _copies(node, source)


def _copies(node: fx.Node, source: fx.Node) -> bool:
    """An operator that hands its input on where it can, and cannot here."""
    made, given = tensor_of(node), tensor_of(source)
    if made is None or given is None:
        return False
    packet = node.target.overloadpacket  # type: ignore[union-attr]  # _is_view: an OpOverload
    return made.dtype != given.dtype or (packet in _ARRANGED and not is_contiguous(given))
