"""optimal: the least damage within the budget, and a bound that says how little."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.allocation.allocate import allocate
from passes.allocation.choice import Choice, Choices
from passes.allocation.optimal import expected_bound, lagrangian, optimal
from passes.allocation.problem import Allocation, Order, Problem, Request
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
    near = allocate(problem(items, choices, budget, spread=2, min_bits=min(WIDTHS), max_bits=max(WIDTHS)))
    rungs = [ladder.index(bits) for bits in near.widths.values()]
    assert max(rungs) - min(rungs) <= 2
    assert near.damage is not None and free.damage is not None and near.damage >= free.damage * (1 - 1e-6)


@given(
    st.lists(st.tuples(st.integers(8, 400), st.lists(st.floats(0, 1), min_size=8, max_size=8)), min_size=2, max_size=5),
    st.sampled_from(["ascending", "descending", "shuffled"]),
    st.integers(1, 8),
    st.integers(0, 7),
    st.floats(0, 1),
)
@settings(deadline=None, max_examples=60)
def test_uniformity_never_does_less_damage_on_the_same_choices(
    model: list[tuple[int, list[float]]], order: Order, low: int, more: int, share: float
) -> None:
    """Damage does not have to fall with the width."""
    high = min(8, low + more)
    items = tuple(Item(f"i{n}", f"i{n}", 0, weights, 1, damages[0]) for n, (weights, damages) in enumerate(model))
    choices = {
        item.name: tuple(Choice(b, GROUPS[1], b * item.num_weights + 8, damages[b - 1]) for b in range(1, 9))
        for item, (_, damages) in zip(items, model, strict=True)
    }
    rule = FileSize({name: {c.bits: int(c.size) for c in row} for name, row in choices.items()}, FIXED)
    least, most = (rule.size(items, dict.fromkeys(choices, bits)) for bits in (low, high))
    budget = least + share * (most - least)
    found = {
        method: allocate(
            Problem(items, rule, Request(method, budget, order=order, min_bits=low, max_bits=high), choices=choices)
        )
        for method in ("uniformity", "optimal")
    }
    for allocation in found.values():
        assert allocation.size == rule.size(items, allocation.widths) <= budget
        assert allocation.widths.keys() == choices.keys()
        assert all(low <= bits <= high for bits in allocation.widths.values())
    damage = sum(c.damage for name, row in choices.items() for c in row if c.bits == found["uniformity"].widths[name])
    # The exact search may stop a millionth of a solution's damage short of the best, and no solution does more than:
    worst = sum(max(c.damage for c in row) for row in choices.values())
    assert found["optimal"].damage is not None and found["optimal"].damage <= damage + 2e-6 * worst


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
