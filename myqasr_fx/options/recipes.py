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
    conv_granularity: str | None
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


PAPER_FILE = Recipe(
    sensitivity="median",
    allocation="uniformity",
    order="descending",
    calibration="min_max",
    rounding="rtn",
    sequential=False,
    granularity="group:64",
    conv_granularity=None,
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
"""The paper's Algorithm 1 on the bytes of files: widths that differ by at most one bit, rounded to nearest."""

PAPER = replace(
    PAPER_FILE,
    order="ascending",  # Algorithm 1's plain argsort
    granularity="tensor",
    activations="int8",
    fill=False,
    budget_kind="paper",
)
"""The paper's road: one scale a tensor, 8-bit activations, and a budget of weight bits."""

REFERENCE = replace(
    PAPER,
    allocation="uniformity_below",
    order="descending",
    calibration="cosine_per_frame",
    conv_granularity="channel",
    budget_kind="parameters",
)
"""What the paper's published code does where the paper says otherwise or nothing; see docs/paper.md."""

FAST = replace(PAPER_FILE, allocation="optimal", rounding="gptq", min_bits=2)
"""Widths by the damage that is expected of them, codes by what the layers read."""

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "fast": FAST,
        "normal": replace(FAST, sequential=True),
        "best": replace(FAST, rounding="refined", sequential=True),
        "paper-file": PAPER_FILE,
        "paper": PAPER,
        "paper-cosine": replace(PAPER, calibration="cosine"),
        "paper-hessian": replace(PAPER, calibration="hessian"),
        "reference": REFERENCE,
    }
)
"""Name to recipe."""

EFFORTS: Mapping[str, str] = MappingProxyType({"fast": "fast", "normal": "normal", "high": "best"})
"""Effort to the recipe that it takes."""

DEFAULT_EFFORT = "normal"
"""What ``quantize`` takes without a recipe."""
