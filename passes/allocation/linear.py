"""Widths spread linearly by rank between two bounds.

Source: Fish, Michieli, Ozay, Interspeech 2023, ablation ``min_max``.
"""

from __future__ import annotations

from passes.allocation.method import AllocationMethod
from passes.allocation.problem import Allocation, Problem


def linear(problem: Problem) -> Allocation:
    """The first layer in the order gets the narrowest width, the last the widest, those between the nearest rung.

    Looks at no budget while it spreads; a budget is only checked.

    Raises:
        BudgetError: The widths take more than a given budget.
    """
    rungs = problem.rungs
    low, high = rungs[-1], rungs[0]
    layers = list(dict.fromkeys(item.layer for item in problem.free))
    last = max(1, len(layers) - 1)
    wanted = {layer: low + (high - low) * rank / last for rank, layer in enumerate(layers)}
    widths = {item.name: min(rungs, key=lambda rung: (abs(rung - wanted[item.layer]), rung)) for item in problem.free}
    return problem.solution(widths)


LINEAR = AllocationMethod(linear)
