"""Two grids for what a softmax or a GELU leaves, one for every other input.

After a softmax the far range ends at the largest value; how much finer the near one is, is what there is to choose: the
exponent with the smallest squared error of the values, or the one that suits the layer's output best where calibration
searches. After a GELU the near range is the finest that reaches down to the minimum, and a search tries multiples of
the far one.

Source: Yuan et al., "PTQ4ViT", ECCV 2022, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from passes.activation_ranges.method import CoverMethod, InputRange, SeenInput
from passes.activation_ranges.single import single_range
from passes.needs import Needs
from passes.numbers.factors import FACTORS
from passes.numbers.twin import EXPONENTS, Split, TwinQParams, covering, round_twin, twin_qparams


@dataclass(frozen=True, slots=True)
class TwinRange:
    """Range of an input and how its two parts start.

    Args:
        low: Smallest value to cover.
        high: Largest one.
        chosen: Qparams of the range itself.
    """

    low: float
    high: float
    chosen: TwinQParams

    def start(self) -> TwinQParams:
        """Qparams of the range itself."""
        return self.chosen

    def candidates(self) -> list[TwinQParams]:
        """Qparams that a search tries."""
        return _candidates(self.low, self.high, self.chosen.bits, self.chosen.split)


def twin_range(seen: SeenInput) -> InputRange:
    """Two parts where a softmax or a GELU makes the input, else one."""
    if seen.split is None:
        return single_range(seen)
    if seen.split is Split.SIGN:
        return TwinRange(seen.low, seen.high, covering(twin_qparams(seen.high, seen.bits, seen.split, 0), seen.low))
    tried = _candidates(seen.low, seen.high, seen.bits, seen.split)
    errors = (round_twin(seen.values, tried) - seen.values).square().sum(-1)
    return TwinRange(seen.low, seen.high, tried[int(errors.argmin())])


def _candidates(low: float, high: float, bits: int, split: Split) -> list[TwinQParams]:
    if split is Split.SIZE:
        return [twin_qparams(high, bits, split, exponent) for exponent in EXPONENTS]
    return [covering(twin_qparams(high * factor, bits, split, 0), low) for factor in FACTORS]


TWIN = CoverMethod(twin_range, needs=Needs(rows=True))
