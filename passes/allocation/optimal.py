"""The widths and groups with the least expected damage: a multiple-choice knapsack.

    minimize  sum_i damage(c_i)   over one choice c_i an item   with  sum_i bytes(c_i) <= B

:func:`lagrangian` takes for each item the choice with the least ``damage + price * bytes`` and bisects over the price;
its bound is that of the linear relaxation. Where the two are apart, :func:`optimal` asks HiGHS for an answer that is
nearer to it and keeps the better one.

Source: Kellerer, Pferschy, Pisinger, "Knapsack Problems", 2004, chapter 11.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from passes.allocation.choice import Choice
from passes.allocation.method import AllocationMethod
from passes.allocation.native_output import no_native_output
from passes.allocation.problem import Allocation, Problem
from passes.errors import AllocationError
from passes.needs import Needs

_PRICES = (-30.0, 6.0)
"""Decimal exponents between which the price of a byte lies, in nats."""

_BISECTIONS = 60
_NEVER = 1e30

_CLOSE = 1e-3
"""Part by which a solution may do more damage than any could: expectations are not that exact."""

_EXACT = 1e-6
"""The same of few items, of which each counts."""

_FEW = 48
"""Items up to which HiGHS is done at once."""

_NODES = 2000
"""Nodes of the search tree, a bound that does not depend on how fast the machine is."""


def optimal(problem: Problem) -> Allocation:
    """The choices with the least expected damage that fit the budget.

    Raises:
        BudgetError: Even the smallest choices take more than the budget.
        AllocationError: There is no budget, or an item has no choice.
    """
    budget = problem.request.budget
    if budget is None:
        raise AllocationError("allocation 'optimal' without a budget", hint="give a budget, or take uniform")
    solutions = []
    for options in _spreads(problem, _options(problem)):
        if sum(min(choice.size for choice in row) for row in options) + problem.rule.fixed <= budget:
            solutions.append(_solve(tuple(map(tuple, options)), budget - problem.rule.fixed))
    if not solutions:
        smallest = [min(choice.size for choice in row) for row in _options(problem)]
        raise problem.too_small(sum(smallest) + problem.rule.fixed)
    best, _ = min(solutions, key=lambda found: _damage(found[0]))
    return _allocation(problem, best, min(bound for _, bound in solutions))


def expected_bound(problem: Problem) -> float:
    """Nats that no choice within the budget can be expected to stay below, as :func:`optimal` finds it.

    Raises:
        AllocationError: An item has no choice.
    """
    room = (problem.request.budget or 0) - problem.rule.fixed
    fitting = (
        options
        for options in _spreads(problem, _options(problem))
        if sum(min(choice.size for choice in row) for row in options) <= room
    )
    return min((lagrangian(options, room)[1] for options in fitting), default=0.0)


def lagrangian(options: Sequence[Sequence[Choice]], budget: float) -> tuple[list[Choice], float]:
    """A solution that fits, and a bound that no solution can beat.

    Args:
        options: Choices of each item; the smallest ones fit.
        budget: Bytes for all items.
    """
    sizes, damages = _padded(options, "size"), _padded(options, "damage")
    rows, bound = np.arange(len(options)), 0.0
    best = np.argmin(sizes, axis=1)
    low, high = _PRICES
    for _ in range(_BISECTIONS):
        price = 10 ** ((low + high) / 2)
        pick = np.argmin(damages + price * sizes, axis=1)
        size, damage = sizes[rows, pick].sum(), damages[rows, pick].sum()
        bound = max(bound, float(damage + price * (size - budget)))
        if size <= budget:
            best, high = pick, (low + high) / 2
        else:
            low = (low + high) / 2
    return [options[row][int(choice)] for row, choice in enumerate(best)], bound


@lru_cache(maxsize=32)  # a draft and the files have the same problem
def _solve(options: tuple[tuple[Choice, ...], ...], budget: float) -> tuple[tuple[Choice, ...], float]:
    """The better of HiGHS's and the Lagrangian solution, and the bound."""
    close = _CLOSE if len(options) > _FEW else _EXACT
    relaxed, bound = lagrangian(options, budget)
    first = tuple(relaxed)
    if _damage(first) <= bound * (1 + close):
        return first, bound
    from scipy.optimize import Bounds, LinearConstraint, milp  # slow to import, and seldom needed

    counts = [len(row) for row in options]
    item = np.repeat(np.arange(len(options)), counts)
    sizes = np.array([choice.size for row in options for choice in row])
    damages = np.array([choice.damage for row in options for choice in row])
    scale = max(_damage(first), 1e-30)
    one_each = LinearConstraint((item[None, :] == np.arange(len(options))[:, None]).astype(float), 1, 1)
    fits = LinearConstraint(sizes[None, :] / budget, -np.inf, 1)
    with no_native_output():
        found = milp(
            damages / scale,
            integrality=np.ones_like(damages),
            bounds=Bounds(0, 1),
            constraints=[one_each, fits],
            options={"node_limit": _NODES, "mip_rel_gap": close / 2},
        )
    if found.x is None:
        return first, bound
    every = (choice for row in options for choice in row)
    chosen = tuple(choice for choice, taken in zip(every, found.x > 0.5, strict=True) if taken)
    fitting = len(chosen) == len(options) and sum(choice.size for choice in chosen) <= budget
    return (chosen if fitting and _damage(chosen) < _damage(first) else first), bound


def _options(problem: Problem) -> list[list[Choice]]:
    """Choices of each item within the asked widths, or at its fixed one."""
    rungs, options = problem.rungs, []
    for item in problem.items:
        allowed = (problem.fixed[item.name],) if item.name in problem.fixed else rungs
        row = [choice for choice in problem.choices.get(item.name, ()) if _within(choice, allowed)]
        if not row:
            raise AllocationError(f"no way to store {item.name} at {allowed[-1]} to {allowed[0]} bits")
        options.append(_undominated(row))
    return options


def _undominated(row: Sequence[Choice]) -> list[Choice]:
    """Those for which no other is at most as large and does at most as much damage, smallest first."""
    kept: list[Choice] = []
    for choice in sorted(row, key=lambda choice: (choice.size, choice.damage)):
        if not kept or choice.damage < kept[-1].damage:
            kept.append(choice)
    return kept


def _within(choice: Choice, widths: Sequence[int]) -> bool:
    """True of a width among these, and of an average between two of them."""
    return choice.bits in widths and (not choice.quarters or choice.bits + 1 in widths)


def _spreads(problem: Problem, options: Sequence[list[Choice]]) -> list[list[list[Choice]]]:
    """The options, once for each run of widths that the asked spread allows."""
    spread = problem.request.spread
    if spread is None:
        return [list(options)]
    rungs, runs = problem.rungs, []
    for start in range(max(1, len(rungs) - spread)):
        near = rungs[start : start + spread + 1]
        rows = [
            row if item.name in problem.fixed else [choice for choice in row if _within(choice, near)]
            for item, row in zip(problem.items, options, strict=True)
        ]
        if all(rows):
            runs.append(rows)
    return runs


def _allocation(problem: Problem, chosen: Sequence[Choice], bound: float) -> Allocation:
    named = dict(zip((item.name for item in problem.items), chosen, strict=True))
    return Allocation(
        widths={name: choice.bits for name, choice in named.items()},
        size=problem.rule.fixed + sum(choice.size for choice in chosen),
        granularity={name: choice.granularity for name, choice in named.items()},
        formats={name: choice.format for name, choice in named.items()},
        quarters={name: choice.quarters for name, choice in named.items()},
        damage=_damage(chosen),
        bound=bound,
    )


def _damage(chosen: Sequence[Choice]) -> float:
    return sum(choice.damage for choice in chosen)


def _padded(options: Sequence[Sequence[Choice]], field: str) -> npt.NDArray[np.float64]:
    """(items, most choices) of one field; what is missing is never the least."""
    table = np.full((len(options), max(map(len, options))), _NEVER)
    for row, choices in zip(table, options, strict=True):
        row[: len(choices)] = [getattr(choice, field) for choice in choices]
    return table


OPTIMAL = AllocationMethod(optimal, Needs(curvature=True))
