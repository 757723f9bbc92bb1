"""optimal: the least damage within the budget, and a bound that says how little."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passes.allocation.allocate import allocate
from passes.allocation.choice import Choice, Choices
from passes.allocation.optimal import expected_bound, lagrangian, optimal
from passes.allocation.problem import Allocation, Problem, Request
from passes.allocation.size_rule import FileSize, Item
from passes.errors import AllocationError, BudgetError
from passes.numbers.scheme import Granularity

WIDTHS = (8, 4, 2)
GROUPS = (Granularity("group", 32), Granularity("group", 128))
FIXED = 100


@st.composite
def problems(draw: st.DrawFn) -> tuple[tuple[Item, ...], Choices]:
    """Two to four items; wider choices and smaller groups are larger, and not always better."""
    count = draw(st.integers(2, 4))
    items = tuple(Item(f"i{n}", f"i{n}", 0, 1, 128) for n in range(count))
    numbers = st.floats(1e-6, 1, allow_subnormal=False)
    choices = {
        item.name: tuple(
            Choice(bits, group, 16 * bits + 4 * (group == GROUPS[0]), draw(numbers))
            for bits in WIDTHS
            for group in GROUPS
        )
        for item in items
    }
    return items, choices


def problem(items: tuple[Item, ...], choices: Choices, budget: float, **request: object) -> Problem:
    table = {item.name: {bits: 16 * bits for bits in WIDTHS} for item in items}
    asked = Request("optimal", budget, **request)  # type: ignore[arg-type]  # few fields, all checked by the tests
    return Problem(items, FileSize(table, FIXED), asked, choices=choices)


def brute_force(choices: Choices, budget: float) -> float:
    """Least damage of all combinations that fit."""
    fitting = (
        sum(choice.damage for choice in chosen)
        for chosen in product(*choices.values())
        if sum(choice.size for choice in chosen) <= budget
    )
    return min(fitting)


@given(problems(), st.floats(0, 1))
def test_nothing_that_fits_does_less_damage(given_problem: tuple[tuple[Item, ...], Choices], share: float) -> None:
    items, choices = given_problem
    low, high = 32 * len(items), 132 * len(items)
    budget = low + share * (high - low)
    found = allocate(problem(items, choices, FIXED + budget))
    best = brute_force(choices, budget)
    assert found.damage == pytest.approx(best, rel=1e-5)
    assert found.bound is not None and found.bound <= best * (1 + 1e-9)
    assert found.size <= FIXED + budget
    assert found.size == FIXED + sum(size_of(found, choices, item.name) for item in items)


def size_of(found: Allocation, choices: Choices, name: str) -> float:
    wanted = (found.widths[name], found.granularity[name])
    return next(choice.size for choice in choices[name] if (choice.bits, choice.granularity) == wanted)


@given(problems(), st.floats(0, 1))
def test_the_sweep_fits_and_its_bound_holds(given_problem: tuple[tuple[Item, ...], Choices], share: float) -> None:
    _, choices = given_problem
    budget = (32 + share * 100) * len(choices)
    chosen, bound = lagrangian(list(choices.values()), budget)
    assert sum(choice.size for choice in chosen) <= budget
    assert bound <= brute_force(choices, budget) * (1 + 1e-9)


@given(problems())
def test_the_spread_bounds_the_rungs_between_widths(given_problem: tuple[tuple[Item, ...], Choices]) -> None:
    items, choices = given_problem
    ladder = FileSize({}).ladder
    budget = FIXED + 80 * len(items)
    free = allocate(problem(items, choices, budget))
    near = allocate(problem(items, choices, budget, spread=2))
    rungs = [ladder.index(bits) for bits in near.widths.values()]
    assert max(rungs) - min(rungs) <= 2
    assert near.damage is not None and free.damage is not None and near.damage >= free.damage * (1 - 1e-6)


def test_fixed_items_and_bounds_on_widths_are_kept() -> None:
    items = tuple(Item(name, name, 0, 1, 128) for name in "ab")
    choices = {n: tuple(Choice(b, GROUPS[0], 16 * b, 1 / b) for b in WIDTHS) for n in "ab"}
    asked = problem(items, choices, 1000, min_bits=4)
    fixed = Problem(items, asked.rule, asked.request, {"a": 2}, choices)
    assert dict(allocate(fixed).widths) == {"a": 2, "b": 8}
    with pytest.raises(BudgetError, match="smallest feasible size is 228 bytes"):
        allocate(problem(items, choices, FIXED + 127, min_bits=4))


def test_what_is_missing_is_named() -> None:
    items = (Item("a", "a", 0, 1, 128),)
    with pytest.raises(AllocationError, match="no way to store a"):
        allocate(problem(items, {}, 1000))
    with pytest.raises(AllocationError, match="without a budget"):
        allocate(Problem(items, FileSize({}), Request("optimal")))
    with pytest.raises(AllocationError, match="nats"):
        Choice(4, GROUPS[0], 1, float("nan"))


def test_the_bound_can_be_had_without_a_solution() -> None:
    items = tuple(Item(f"i{n}", f"i{n}", 0, 1, 128) for n in range(3))
    choices = {i.name: tuple(Choice(b, GROUPS[1], 16 * b, 1 / b + n) for b in WIDTHS) for n, i in enumerate(items)}
    for request in ({}, {"spread": 1}):
        given_problem = problem(items, choices, FIXED + 200, **request)
        assert expected_bound(given_problem) == optimal(given_problem).bound
