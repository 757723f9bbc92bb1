"""One way to store an item, with what it costs in bytes and in damage."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from passes.errors import AllocationError
from passes.numbers.scheme import Granularity, NumberFormat, WeightSpec


@dataclass(frozen=True, slots=True)
class Choice:
    """A width and who shares its scales.

    Args:
        bits: 1 to 8, 16 or 32.
        granularity: Weights that share a scale; means nothing for floats.
        size: Bytes in the files.
        damage: Nats a position that it is expected to cost, not negative.
        format: Of the codes.
        quarters: Of a bit that a trellis takes on top, averaged over its inputs.
    """

    bits: int
    granularity: Granularity
    size: float
    damage: float
    format: NumberFormat = "affine"
    quarters: int = 0

    def __post_init__(self) -> None:
        if self.size < 0 or self.damage < 0 or not math.isfinite(self.size + self.damage):
            raise AllocationError(f"a choice of {self.bits} bits with {self.size} bytes and {self.damage} nats")


Choices = Mapping[str, tuple[Choice, ...]]
"""Item name to the ways to store it."""

Damages = Mapping[tuple[str, WeightSpec], float]
"""Item name and how it is stored to nats a position."""
