"""What an allocation method is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from passes.allocation.problem import Allocation, Problem
from passes.needs import NOTHING, Needs


@dataclass(frozen=True, slots=True)
class AllocationMethod:
    """A way to assign widths.

    Args:
        run: Does it.
        needs: ``curvature`` where it weighs the damage of every choice (``Problem.choices``), else nothing beyond
            sensitivities.
    """

    run: Callable[[Problem], Allocation]
    needs: Needs = NOTHING
