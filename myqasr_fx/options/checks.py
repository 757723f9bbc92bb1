"""Checks of single option values."""

from __future__ import annotations

from numbers import Integral, Real

from myqasr_fx.errors import OptionError
from passes.numbers.scheme import FLOAT_BITS, HALF_BITS, MAX_PACKED_BITS

KEPT_WIDTHS = (HALF_BITS, FLOAT_BITS)
"""Widths of weights that stay floats."""


def plain_number(value: object) -> object:
    """Python's own for a number of another kind, such as numpy's; anything else as it is."""
    if isinstance(value, (bool, int, float)) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def is_int(value: object, low: int, high: int = 2**63) -> bool:
    """A whole number from ``low`` to ``high``; a truth value is none."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_probability(value: object) -> bool:
    """A number from 0 to 1."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def is_share(value: object) -> bool:
    """A number of at least 0 and below 1."""
    return is_probability(value) and value != 1


def is_width(value: object, kind: str) -> bool:
    """A width that a budget of ``kind`` knows."""
    return is_int(value, 1, FLOAT_BITS) and (
        kind != "file" or value in KEPT_WIDTHS or is_int(value, 1, MAX_PACKED_BITS)
    )


def widths(kind: str) -> str:
    """Those widths, in words."""
    return "1 to 8, 16 or 32" if kind == "file" else "1 to 32"


def expect(holds: bool, what: str, got: object, expected: str) -> None:
    """Refuses ``got``.

    Raises:
        OptionError: ``holds`` is false.
    """
    if not holds:
        raise OptionError(f"{what} {got!r}: expected {expected}")
