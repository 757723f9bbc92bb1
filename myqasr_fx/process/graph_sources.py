"""Forgets how graphs read: torch keeps the Python text of every graph that it ever compiled, for tracebacks.

That of one user of a fleet takes a megabyte for the smallest model, five for eight layers, and nobody frees it.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from contextlib import contextmanager

from torch.fx import graph_module


@contextmanager
def sources_forgotten() -> Iterator[None]:
    """Around work whose graphs are done with at its end; one that lives on lacks its lines in tracebacks, no more.

    An error keeps them, as its own traceback may go through a graph.
    """
    before = set(kept_sources())
    yield
    kept = kept_sources()
    for name in kept.keys() - before:
        kept.pop(name, None)
        linecache.cache.pop(name, None)


def kept_sources() -> dict[str, str]:
    """Name of each file that there is none of to its text, as torch keeps it; empty where torch keeps it elsewhere."""
    kept = getattr(getattr(graph_module, "_loader", None), "eval_cache", None)
    return kept if isinstance(kept, dict) else {}
