"""Names for what the bytes of model files are spent on."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Category(StrEnum):
    """Kinds of bytes, in the order that reports show them."""

    CODES = "codes"
    SCALES = "scales"
    ZERO_POINTS = "zero points"
    FLOAT_WEIGHTS = "weights in float"
    LEFTOVERS = "norms, biases, positions"
    GRAPH = "graph"


def in_order(counts: Mapping[str, int]) -> dict[str, int]:
    """The categories that have bytes, in the order of :class:`Category`."""
    return {str(category): counts[category] for category in Category if counts.get(category)}
