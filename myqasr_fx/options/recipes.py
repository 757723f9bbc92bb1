"""Named sets of choices. Each is written out whole: what a run does is what its recipe says and what overrides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from passes.allocation.problem import Order
from passes.numbers.scheme import FLOAT_BITS


@dataclass(frozen=True, slots=True)
class Recipe:
    """Choices of methods; as in :class:`~myqasr_fx.options.config.QuantizeConfig`, which checks them.

    ``budget_kind`` is that of its budget.
    """

    sensitivity: str
    allocation: str
    order: Order
    calibration: str
    rounding: str
    sequential: bool
    granularity: str
    symmetric: bool
    format: str
    activations: str
    activation_bits: int
    activation_ranges: str
    min_bits: int
    max_bits: int
    fill: bool
    budget_kind: str

    def options(self) -> dict[str, Any]:
        """Name to value."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


DEFAULT = Recipe(
    sensitivity="median",
    allocation="uniformity",
    order="descending",
    calibration="min_max",
    rounding="rtn",
    sequential=False,
    granularity="group:64",
    symmetric=False,
    format="auto",
    activations="float",
    activation_bits=8,
    activation_ranges="single",
    min_bits=1,
    max_bits=FLOAT_BITS,
    fill=True,
    budget_kind="file",
)
"""What ``quantize`` does without a recipe."""

PAPER = replace(
    DEFAULT,
    order="ascending",  # Algorithm 1's plain argsort
    granularity="tensor",
    activations="int8",
    fill=False,
    budget_kind="paper",
)
"""The paper's road: one scale a tensor, 8-bit activations, and a budget of weight bits."""

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "default": DEFAULT,
        "best": replace(DEFAULT, allocation="optimal", rounding="refined", sequential=True, min_bits=2),
        "paper": PAPER,
        "paper-cosine": replace(PAPER, calibration="cosine"),
        "paper-hessian": replace(PAPER, calibration="hessian"),
    }
)
"""Name to recipe."""
