"""``InsertObservers``: looks at the inputs and the output of every quantizable node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import fx

from passes.base import Fact, Program, ProgramPass
from passes.errors import PassError, QuantizationError
from passes.graph import ops
from passes.graph.graph_edit import watch
from passes.graph.layers import find_layers, nodes_of
from passes.graph.ops import LayerKind
from passes.observe.activation_stats import OUTPUT, ActivationStats, Statistics, input_role
from passes.observe.observer import Observer, pool

OBSERVERS = "myqasr_observers"
"""Name of the submodule that holds the observers."""

Role = tuple[str, str]

_CAT = torch.ops.aten.cat.default


@dataclass(frozen=True, slots=True)
class InsertObservers(ProgramPass):
    """Adds an observer to every activation that a layer reads and to every layer's result.

    Before::

        y = linear(x, W, b)

    After::

        observers.x(x)
        y = linear(x, W, b)
        observers.y(y)

    Nothing reads an observer's result, so the graph computes what it computed. A value that several layers read has
    one observer. Of keys and values that are joined with those of a cache only the graph's own are observed: each once,
    when it is computed, instead of at every token. So caches begin empty. Layers are those of
    ``passes.graph.layers.find_layers``; when one has uses of several kinds (a tied embedding), its roles are those of
    its main kind, and another kind's result is ``<kind>:output``.
    """

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL})
    provides: ClassVar[frozenset[Fact]] = frozenset({Fact.OBSERVED})

    def run(self, program: Program) -> bool:
        """Inserts the observers in place; True when there was a layer.

        Raises:
            PassError: The graphs hold observers already.
        """
        roles: dict[tuple[fx.GraphModule, fx.Node], list[Role]] = {}
        for module, node, role in _observed(program):
            roles.setdefault((module, node), []).append(role)
        for module in program.graphs.values():
            if hasattr(module, OBSERVERS):
                raise PassError("the graph holds observers already", hint="run RemoveObservers first")
        for (module, node), seen in roles.items():
            watch(module, node, f"{OBSERVERS}.{node.name}", Observer(tuple(dict.fromkeys(seen))))
        return bool(roles)


def _observed(program: Program) -> Iterator[tuple[fx.GraphModule, fx.Node, Role]]:
    """Every value to observe, with the layer and the role it stands for."""
    for layer in find_layers(program):
        for module, node in nodes_of(program, layer):
            role = ops.role_of(node)
            if role is None:
                continue
            if role.kind is not layer.kind:
                yield module, node, (layer.name, f"{role.kind}:{OUTPUT}")
                continue
            for index, source in enumerate(ops.activation_nodes(node)):
                for computed in _computed(source) if layer.kind is LayerKind.MATMUL else (source,):
                    yield module, computed, (layer.name, input_role(index))
            yield module, node, (layer.name, OUTPUT)


def _computed(node: fx.Node) -> tuple[fx.Node, ...]:
    """The nodes that hold a node's values, but for those of a cache, which is given, joined and handed on."""
    inner = node
    while inner.target in ops.ARRANGEMENTS and isinstance(inner.args[0], fx.Node):
        inner = inner.args[0]
    if inner.target is not _CAT or not any(user.op == "output" for user in inner.users):
        return (node,)
    parts: Sequence[fx.Node] = inner.args[0]  # type: ignore[assignment]
    return tuple(part for part in parts if not _is_cache(part)) or (node,)


def _is_cache(node: fx.Node) -> bool:
    """A graph is given it for nothing but to join it, and to tell how long it is."""
    return node.op == "placeholder" and all(user.target in (_CAT, torch.ops.aten.sym_size.int) for user in node.users)


def read_statistics(program: Program) -> Statistics:
    """What the observers of ``program`` saw; roles that no value reached are left out.

    Raises:
        QuantizationError: A role saw an infinite or undefined value; names the layer and the role.
    """
    found: dict[Role, list[Observer]] = {}
    for module in program.graphs.values():
        for observer in module.modules():
            if isinstance(observer, Observer) and observer.count:
                for role in observer.roles:
                    found.setdefault(role, []).append(observer)
    return {role: _pool(role, observers) for role, observers in found.items()}


def _pool(role: Role, observers: list[Observer]) -> ActivationStats:
    try:
        return pool(observers)
    except QuantizationError as error:
        raise QuantizationError(f"layer {role[0]}, {role[1]}: {error.message}", hint=error.hint) from error
