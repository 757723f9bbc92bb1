"""``FoldConstants``: what a graph computes from its own tensors alone is computed once.

Before::

    %w = (float32(%codes) - %zero_point) * %scale          # in every run
    %y = aten.linear(%x, %w, %b)

After::

    %w = get_attr[linear_folded]
    %y = aten.linear(%x, %w, %b)

A fake-quantized model then runs as fast as the float one, which matters where a decoder runs once a token; it holds
float weights again, so its codes are no longer to be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import fx

from passes.base import Fact, GraphPass
from passes.graph import ops
from passes.graph.graph_edit import constant, drop_unused_tensors, get_tensor
from passes.graph.written import written


@dataclass(frozen=True, slots=True)
class FoldConstants(GraphPass):
    """Replaces every tensor that depends on no input by its value."""

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.FAKE_QUANT})

    def run_graph(self, module: fx.GraphModule) -> bool:
        """Rewrites ``module`` in place; True when something was computed."""
        found = list(_last_constants(module.graph))
        for node in found:
            with torch.no_grad():
                value = _value(module, node)
            if not isinstance(value, torch.Tensor):
                continue
            with module.graph.inserting_before(node):
                node.replace_all_uses_with(constant(module, f"{node.name}_folded", value))
        if found:
            module.graph.eliminate_dead_code()
            drop_unused_tensors(module)
        return bool(found)


def computed_constants(graph: fx.Graph) -> tuple[fx.Node, ...]:
    """Calls that depend on no input and that nothing writes into, in order."""
    known: dict[fx.Node, None] = {}
    changed = frozenset(written(graph))
    for node in graph.nodes:
        if node in changed:
            continue
        if node.op == "get_attr" or (_is_pure(node) and all(source in known for source in node.all_input_nodes)):
            known[node] = None
    return tuple(node for node in known if node.op != "get_attr")


def _last_constants(graph: fx.Graph) -> Iterator[fx.Node]:
    """Those that a node which depends on inputs reads."""
    known = dict.fromkeys(computed_constants(graph))
    for node in known:
        if any(user not in known for user in node.users):
            yield node


def _is_pure(node: fx.Node) -> bool:
    overload = node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload)
    return overload and bool(node.all_input_nodes) and not ops.mutates(node)


def _value(module: fx.GraphModule, node: fx.Node) -> Any:
    if node.op == "get_attr":
        return get_tensor(module, str(node.target))
    args, kwargs = fx.map_arg((node.args, node.kwargs), lambda source: _value(module, source))
    return node.target(*args, **kwargs)  # type: ignore[operator]  # _is_pure: an OpOverload
