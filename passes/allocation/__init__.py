"""Allocation methods, by name: a width for every item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from passes.registry import Extensible

if TYPE_CHECKING:
    from passes.allocation.method import AllocationMethod

REGISTRY: Extensible[AllocationMethod] = Extensible(
    {
        "uniformity": "uniformity:UNIFORMITY",
        "uniformity_below": "uniformity:UNIFORMITY_BELOW",
        "uniform": "uniform:UNIFORM",
        "linear": "linear:LINEAR",
        "optimal": "optimal:OPTIMAL",
    },
    group="myqasr_fx.allocation",
    kind="method:AllocationMethod",
    package=__name__,
)
"""Method name to method."""
