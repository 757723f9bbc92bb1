"""What covers the range of an activation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from passes.needs import NOTHING, Needs
from passes.numbers.twin import ActivationQParams, Split


class InputRange(Protocol):
    """The range of a quantized input; equal ones are quantized alike."""

    def start(self) -> ActivationQParams:
        """Qparams of the range itself."""

    def candidates(self) -> Sequence[ActivationQParams]:
        """Qparams that a search tries."""

    def __hash__(self) -> int:
        """Searches are remembered by their ranges."""


@dataclass(frozen=True, slots=True, eq=False)
class SeenInput:
    """What is known of a layer's input.

    Args:
        low: Smallest value that calibration wants covered.
        high: Largest one.
        bits: Width that it is quantized to.
        split: What would select one of two ranges; None for an input that has one range
            (two serve products behind a softmax and linear layers behind a GELU).
        values: (M,) some of its values; empty when no method looks at them.
    """

    low: float
    high: float
    bits: int
    split: Split | None
    values: Tensor = field(repr=False)


@dataclass(frozen=True, slots=True)
class CoverMethod:
    """A way to cover ranges.

    Args:
        make: From what is known of an input to its range.
        needs: ``rows`` where ``make`` looks at values of inputs whose size selects the range.
    """

    make: Callable[[SeenInput], InputRange]
    needs: Needs = NOTHING
