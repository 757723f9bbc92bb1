"""One uniform grid, unsigned with a zero point: it spends no code below a softmax's zero or a GELU's minimum."""

from __future__ import annotations

from dataclasses import dataclass

from passes.activation_ranges.method import CoverMethod, SeenInput
from passes.numbers.affine import QParams, activation_qparams
from passes.numbers.factors import multiples


@dataclass(frozen=True, slots=True)
class SingleRange:
    """Whole range of a quantized input, and what it is quantized to."""

    low: float
    high: float
    bits: int

    def start(self) -> QParams:
        """Qparams of the range itself."""
        return self._qparams(self.low, self.high)

    def candidates(self) -> list[QParams]:
        """Qparams of every multiple of the range."""
        return multiples(self.low, self.high, self._qparams)

    def _qparams(self, low: float, high: float) -> QParams:
        return activation_qparams(low, high, self.bits)


def single_range(seen: SeenInput) -> SingleRange:
    """The range as it is."""
    return SingleRange(seen.low, seen.high, seen.bits)


SINGLE = CoverMethod(single_range)
