"""Multiples of the whole range that searches try.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.3: 100 candidates from
0.01x to 1.2x.
"""

from __future__ import annotations

from collections.abc import Callable

from passes.numbers.affine import QParams

FACTORS = tuple(0.01 + i * (1.2 - 0.01) / 99 for i in range(100))
"""Ascending; 1 itself is not among them."""


def multiples(low: float, high: float, make: Callable[[float, float], QParams]) -> list[QParams]:
    """Qparams of every multiple of a range."""
    return [make(low * factor, high * factor) for factor in FACTORS]
