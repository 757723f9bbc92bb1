"""Work without Python's cyclic garbage collector, which goes through all live objects again and again.

Importing torch and transformers and tracing a graph make millions of small objects that stay: a quarter of the time
goes into looking for garbage among them that is not there. What such work leaves is collected later.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_off() -> Iterator[None]:
    """Switches the collector off and, where it was on, on again; not for work that drops large tensors in cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
