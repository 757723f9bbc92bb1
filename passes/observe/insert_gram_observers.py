"""``InsertGramObservers``: second moments of what every layer with a weight reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


class ObservedGrams(Mapping[str, Tensor]):
    """Layer name to its matrix, made when it is looked at: all of them may take more than the model.

    Args:
        observers: Layer name to what saw its inputs.
        looked_up: Layers whose rows are also looked up.
    """

    def __init__(self, observers: Mapping[str, GramObserver], looked_up: frozenset[str]) -> None:
        self._observers = observers
        self._looked_up = looked_up

    def __getitem__(self, name: str) -> Tensor:
        observer = self._observers[name]
        gram = observer.gram()
        if gram is None:
            raise KeyError(name)
        found = steadied(gram, observer.frames)
        if name in self._looked_up:
            found = found + LOOKUP_WEIGHT * found.diagonal().mean() * torch.eye(len(found))
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._observers

    def __iter__(self) -> Iterator[str]:
        return iter(self._observers)

    def __len__(self) -> int:
        return len(self._observers)


def read_grams(program: Program) -> Grams:
    """What the observers of ``program`` saw; layers that no value reached are left out."""
    found: dict[str, GramObserver] = {}
    for module in program.graphs.values():
        for observer in module.modules():
            if isinstance(observer, GramObserver) and observer.total:
                found |= dict.fromkeys(observer.layers, observer)
    return ObservedGrams(found, frozenset(layer.name for layer in find_layers(program) if _is_looked_up(layer)))


def _is_looked_up(layer: Layer) -> bool:
    return any(use.kind is LayerKind.EMBEDDING for use in layer.uses)
