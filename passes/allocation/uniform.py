"""The same width for every item."""

from __future__ import annotations

from passes.allocation.method import AllocationMethod
from passes.allocation.problem import Allocation, Problem
from passes.errors import AllocationError


def uniform(problem: Problem) -> Allocation:
    """The asked width, or the largest that fits the budget.

    Raises:
        BudgetError: The width, or every width, takes more than the budget.
        AllocationError: Neither a width nor a budget is given, or the width does not exist.
    """
    bits, budget = problem.request.uniform_bits, problem.request.budget
    if bits is not None:
        problem.rule.check_width(bits, "one width for everything")
        return problem.solution({item.name: bits for item in problem.items})
    if budget is None:
        raise AllocationError("allocation 'uniform' without a width or a budget", hint="give one of them")
    sizes = []
    for rung in problem.rungs:
        widths = {item.name: rung for item in problem.items} | dict(problem.fixed)
        sizes.append(problem.rule.size(problem.items, widths))
        if sizes[-1] <= budget:
            return problem.solution(widths)
    raise problem.too_small(min(sizes))


UNIFORM = AllocationMethod(uniform)
