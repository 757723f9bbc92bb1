"""Copies of graphs over the same tensors."""

from __future__ import annotations

from torch import fx


def clone(module: fx.GraphModule) -> fx.GraphModule:
    """A GraphModule with a graph of its own and the same tensors, not copies of them.

    ``copy.deepcopy`` would hold a second copy of the weights.
    """
    graph, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    for node in module.graph.nodes:
        copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.set_codegen(module.graph._codegen)
    copied = fx.GraphModule(module, graph, class_name=type(module).__name__)
    copied.meta.update(module.meta)
    return copied
