"""``InsertGramObservers``: second moments of what every layer with a weight reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, fx

from passes.base import Fact, Program, ProgramPass
from passes.graph import ops
from passes.graph.graph_edit import watch
from passes.graph.layers import Layer, find_layers, nodes_of
from passes.graph.ops import LayerKind
from passes.observe.few_frames import steadied
from passes.observe.gram_observer import GramObserver, Patches
from passes.observe.on_demand import OnDemand
from passes.observe.shelf import Shelf

LOOKUP_WEIGHT = 2.0
"""What the looked-up rows of a tied embedding count beside its products, in mean diagonals of the Gram matrix.

A row that is looked up enters the network as it is, so every weight of it matters alike. Chosen on development speech.
"""

GRAM_OBSERVERS = "myqasr_gram_observers"
"""Name of the submodule that holds the observers."""

Grams = Mapping[str, Tensor]
"""Layer name to (K, K) float32 mean of x x^T over what the layer reads, steadied where that is little."""


@dataclass(frozen=True, slots=True)
class InsertGramObservers(ProgramPass):
    """Adds an observer to every value that a linear or an ungrouped convolution reads; layers that read one share it.

    Args:
        looked_up: Observe only layers whose rows are also looked up.

    Before::

        y = linear(x, W, b)

    After::

        gram_observers.x(x)
        y = linear(x, W, b)
    """

    looked_up: bool = False

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL})
    provides: ClassVar[frozenset[Fact]] = frozenset({Fact.OBSERVED})

    def run(self, program: Program) -> bool:
        """Inserts the observers in place; True when there was a layer to observe."""
        readers: dict[tuple[fx.GraphModule, fx.Node, Patches | None], list[str]] = {}
        for layer in find_layers(program):
            if self.looked_up and not _is_looked_up(layer):
                continue
            for module, node in nodes_of(program, layer):
                role = ops.role_of(node)
                if role is None or not (role.kind is LayerKind.LINEAR or role.kind.convolves):
                    continue
                patches = Patches.of(node) if role.kind.convolves else None
                if role.kind.convolves and patches is None:
                    continue
                (source,) = ops.activation_nodes(node)
                readers.setdefault((module, source, patches), []).append(layer.name)
        shelf = Shelf()
        for index, ((module, source, patches), names) in enumerate(readers.items()):
            observer = GramObserver(tuple(dict.fromkeys(names)), patches, shelf)
            watch(module, source, f"{GRAM_OBSERVERS}.gram_{index}", observer)
        return bool(readers)


def read_grams(program: Program) -> Grams:
    """What the observers of ``program`` saw; layers that no value reached are left out."""
    found: dict[str, GramObserver] = {}
    for module in program.graphs.values():
        for observer in module.modules():
            if isinstance(observer, GramObserver) and observer.total:
                found |= dict.fromkeys(observer.layers, observer)
    looked_up = frozenset(layer.name for layer in find_layers(program) if _is_looked_up(layer))

    def made(name: str) -> Tensor:
        seen = found[name].gram()
        assert seen is not None
        gram = steadied(seen, found[name].frames)
        return gram + LOOKUP_WEIGHT * gram.diagonal().mean() * torch.eye(len(gram)) if name in looked_up else gram

    return OnDemand(found, made)


def _is_looked_up(layer: Layer) -> bool:
    return any(use.kind is LayerKind.EMBEDDING for use in layer.uses)
