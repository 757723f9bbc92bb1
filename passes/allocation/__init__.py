"""Allocation methods: a width for every item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from passes.allocation.linear import linear
from passes.allocation.optimal import optimal
from passes.allocation.problem import Allocation, Problem
from passes.allocation.uniform import uniform
from passes.allocation.uniformity import uniformity
from passes.registry import lookup

Method = Callable[[Problem], Allocation]

REGISTRY: Mapping[str, Method] = MappingProxyType(
    {"uniformity": uniformity, "uniform": uniform, "linear": linear, "optimal": optimal}
)
"""Method name to method."""


def allocate(problem: Problem) -> Allocation:
    """Solves ``problem`` with the method that its request names.

    Raises:
        AllocationError: The request cannot be met; :class:`~passes.errors.BudgetError` when the budget is too small.
    """
    return lookup(REGISTRY, problem.request.method, "allocation")(problem)
