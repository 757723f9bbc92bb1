"""Solves a problem with the method that it names."""

from __future__ import annotations

from passes.allocation import REGISTRY
from passes.allocation.problem import Allocation, Problem
from passes.registry import lookup


def allocate(problem: Problem) -> Allocation:
    """Solves ``problem`` with the method that its request names.

    Raises:
        AllocationError: The request cannot be met; :class:`~passes.errors.BudgetError` when the budget is too small.
    """
    return lookup(REGISTRY, problem.request.method, "allocation").run(problem)
