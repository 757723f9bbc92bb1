"""Exceptions for single layers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from myqasr_fx.errors import OptionError
from myqasr_fx.options.checks import KEPT_WIDTHS, expect, is_int
from myqasr_fx.options.choices import check_choice
from passes.numbers.scheme import MAX_PACKED_BITS, Granularity


@dataclass(frozen=True, slots=True)
class LayerRule:
    """What a rules file says about the layers whose names match.

    Args:
        match: Glob over layer names, such as ``model.decoder.*``.
        bits: Fixed width, 1 to 8; the allocation leaves the layer alone.
        keep: 16 or 32: the layer stays in float of that width.
        granularity: ``tensor``, ``channel`` or ``group:N`` instead of the global one.
        rounding: Name in ``passes.rounding`` instead of the global one.
    """

    match: str
    bits: int | None = None
    keep: int | None = None
    granularity: str | None = None
    rounding: str | None = None

    def __post_init__(self) -> None:
        name = f"rule for {self.match!r}:"
        if not self.match or (self.bits, self.keep, self.granularity, self.rounding) == (None,) * 4:
            raise OptionError(f"{name} expected a glob and one of bits, keep, granularity or rounding")
        if self.bits is not None and self.keep is not None:
            raise OptionError(f"{name} bits and keep exclude each other")
        expect(self.bits is None or is_int(self.bits, 1, MAX_PACKED_BITS), f"{name} bits", self.bits, "1 to 8")
        kept = self.keep is None or (is_int(self.keep, 1) and self.keep in KEPT_WIDTHS)
        expect(kept, f"{name} keep", self.keep, "16 or 32")
        if self.granularity is not None:
            Granularity.parse(str(self.granularity))
        if self.rounding is not None:
            check_choice("rounding", self.rounding)


def narrowest(least: int, rules: Iterable[LayerRule]) -> int:
    """Bits that every weight takes at least.

    Args:
        least: Those that the allocation may give.
        rules: Fix the widths of single layers, which may be narrower.
    """
    return min([least, *(bits for rule in rules if (bits := rule.bits or rule.keep))])
