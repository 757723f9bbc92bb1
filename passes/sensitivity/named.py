"""Metrics by the names that people write, widths of distances included."""

from __future__ import annotations

from passes.errors import MyqasrError
from passes.numbers.scheme import MAX_PACKED_BITS
from passes.registry import lookup
from passes.sensitivity import REGISTRY
from passes.sensitivity.distances import DISTANCES, distance
from passes.sensitivity.metric import Metric


def metric_of(name: str) -> Metric:
    """The metric ``name``, or for ``kl@4`` the distance ``kl`` at 4 bits.

    Raises:
        MyqasrError: There is no such metric, a width does not exist, or it is given to a metric that has none.
    """
    base, at, text = name.partition("@")
    if not at:
        return lookup(REGISTRY, name, "sensitivity")
    lookup(DISTANCES, base, "sensitivity with a width")
    if not text.isdecimal() or not 1 <= int(text) <= MAX_PACKED_BITS:
        raise MyqasrError(f"sensitivity {name!r}: width {text!r}", hint=f"write {base}@4, 1 to {MAX_PACKED_BITS} bits")
    return distance(base, int(text))
