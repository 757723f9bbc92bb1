"""``RemoveObservers``: the graph as it was before ``InsertObservers``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import fx

from passes.base import Fact, GraphPass
from passes.observe.gram_observer import GramObserver
from passes.observe.observer import Observer


@dataclass(frozen=True, slots=True)
class RemoveObservers(GraphPass):
    """Deletes the observers and their calls.

    Before::

        observers.x(x)
        y = linear(x, W, b)

    After::

        y = linear(x, W, b)

    Read the statistics first: they go with the observers.
    """

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.OBSERVED})
    removes: ClassVar[frozenset[Fact]] = frozenset({Fact.OBSERVED})

    def run_graph(self, module: fx.GraphModule) -> bool:
        """Rewrites ``module`` in place; True when it held an observer."""
        observers = {name for name, child in module.named_modules() if isinstance(child, (Observer, GramObserver))}
        for node in list(module.graph.nodes):
            if node.op == "call_module" and node.target in observers:
                module.graph.erase_node(node)
        for holder in {name.partition(".")[0] for name in observers}:
            delattr(module, holder)
        return bool(observers)
