"""Metrics by the names that people write, widths of distances included."""

from __future__ import annotations

import re

from passes.errors import MyqasrError
from passes.numbers.scheme import MAX_PACKED_BITS
from passes.registry import lookup
from passes.sensitivity import REGISTRY
from passes.sensitivity.distances import DISTANCES, distance
from passes.sensitivity.metric import Metric

_WIDTHS = re.compile(r"([1-8])|w([1-8])a([4-8])")


def metric_of(name: str) -> Metric:
    """The metric ``name``, for ``kl@4`` the distance ``kl`` at 4 bits, for ``kl@w4a8`` with inputs of 8 bits, too.

    Raises:
        MyqasrError: There is no such metric, a width does not exist, or it is given to a metric that has none.
    """
    base, at, text = name.partition("@")
    if not at:
        return lookup(REGISTRY, name, "sensitivity")
    lookup(DISTANCES, base, "sensitivity with a width")
    found = _WIDTHS.fullmatch(text)
    if found is None:
        hint = f"write {base}@4, 1 to {MAX_PACKED_BITS} bits, or {base}@w4a8 for inputs of 4 to {MAX_PACKED_BITS}, too"
        raise MyqasrError(f"sensitivity {name!r}: width {text!r}", hint=hint)
    alone, weights, inputs = found.groups()
    return distance(base, int(alone or weights), int(inputs) if inputs else None)
