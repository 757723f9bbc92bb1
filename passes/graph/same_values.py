"""Nodes that compute the same: an operator with the same arguments, which runtimes compute once."""

from __future__ import annotations

from collections.abc import Mapping

from torch import fx


def same_values(graph: fx.Graph) -> Mapping[fx.Node, fx.Node]:
    """Every node to the first one with its operator and arguments, where arguments that compute the same count as one.

    Args:
        graph: Without effects: two draws of a random operator count as one, too.
    """
    first: dict[str, fx.Node] = {}
    found: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        arguments = fx.map_arg((node.args, node.kwargs), found.__getitem__)
        found[node] = first.setdefault(repr((node.op, node.target, arguments)), node)
    return found
