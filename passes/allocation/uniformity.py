"""Algorithm 1: lower one layer after the other by one rung until the model fits, so that widths stay neighbours.

::

    b_l = 32 for every layer;  order = argsort(sensitivity)
    while size(b) > B:
        for l in order:
            b_l -= 1
            if size(b) <= B: return b

The published code stops at ``size(b) < B`` instead, so that a size of just B loses one more bit.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, Algorithm 1. The ladder of the size
rule stands for the widths 32 … 1, and the fill step is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import le, lt

from passes.allocation.method import AllocationMethod
from passes.allocation.problem import Allocation, Problem
from passes.allocation.size_rule import Item
from passes.errors import AllocationError


def uniformity(problem: Problem) -> Allocation:
    """Widths within one rung of each other, of at most the budget.

    Raises:
        BudgetError: Even the narrowest widths take more than the budget.
        AllocationError: There is no budget.
    """
    return _lowered(problem, le)


def uniformity_below(problem: Problem) -> Allocation:
    """The same of less than the budget.

    Raises:
        BudgetError: Even the narrowest widths take as much as the budget.
        AllocationError: There is no budget.
    """
    return _lowered(problem, lt)


def _lowered(problem: Problem, fits: Callable[[float, float], bool]) -> Allocation:
    """Widths within one rung of each other, whose size ``fits`` the budget.

    Raises:
        BudgetError: Even the narrowest widths take more than the budget.
        AllocationError: There is no budget.
    """
    budget = problem.request.budget
    if budget is None:
        method = problem.request.method
        raise AllocationError(f"allocation {method!r} without a budget", hint="give a budget, or take uniform")
    rule, rungs, free = problem.rule, problem.rungs, problem.free
    widths = dict(problem.fixed) | {item.name: rungs[0] for item in free}
    smallest = size = rule.size(problem.items, widths)
    if fits(size, budget):
        return problem.solution(widths)
    for high, low in pairwise(rungs):
        for count, item in enumerate(free, 1):
            widths[item.name] = low
            size += rule.bytes_of(item, low) - rule.bytes_of(item, high)
            smallest = min(smallest, size)
            if fits(size, budget):
                return problem.solution(widths | _filled(problem, free[:count], high, budget - size))
    raise problem.too_small(smallest)


def _filled(problem: Problem, lowered: Sequence[Item], high: int, left: float) -> dict[str, int]:
    """Lowered items that ``left`` bytes can take back to the rung above, the last lowered first.

    Blocks of a layer come back from its first rows on, without a gap, so that it ends in two runs of rows at most.
    """
    raised: dict[str, int] = {}
    if not (problem.rule.is_file if problem.request.fill is None else problem.request.fill):
        return raised
    low = problem.rungs[problem.rungs.index(high) + 1]
    blocked: set[str] = set()
    for item in reversed(lowered):
        cost = problem.rule.bytes_of(item, high) - problem.rule.bytes_of(item, low)
        if item.layer in blocked or cost > left:
            blocked.add(item.layer)
            continue
        raised[item.name] = high
        left -= cost
    return raised


UNIFORMITY = AllocationMethod(uniformity)
UNIFORMITY_BELOW = AllocationMethod(uniformity_below)
