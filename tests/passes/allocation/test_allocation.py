"""Allocation: Algorithm 1 against a literal transcription, the budget, the fill step, the other methods."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.allocation.allocate import allocate
from passes.allocation.items import make_items
from passes.allocation.problem import Problem, Request
from passes.allocation.size_rule import FileSize, Item, PaperSize, ParameterSize, SizeRule
from passes.errors import AllocationError, BudgetError, MyqasrError
from passes.graph.layers import Layer, Use
from passes.graph.ops import LayerKind
from passes.numbers.packing import packed_bytes

MODELS = st.lists(st.tuples(st.integers(1, 3000), st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5])), min_size=1, max_size=12)
ORDERS = st.sampled_from(["ascending", "descending", "shuffled"])


def items_of(model: Sequence[tuple[int, float]]) -> tuple[Item, ...]:
    return tuple(Item(f"l{i}", f"l{i}", 0, n, 1, s) for i, (n, s) in enumerate(model))


def table_of(items: Sequence[Item]) -> FileSize:
    """Packed codes, a float16 scale for 64 weights, and a constant for the unpacking."""
    return FileSize({item.name: {bits: file_bytes(item, bits) for bits in FileSize.ladder} for item in items}, 20_000)


def file_bytes(item: Item, bits: int) -> int:
    if bits >= 16:
        return item.num_weights * bits // 8
    groups = -(-item.num_weights // 64)
    return packed_bytes(item.num_weights, bits) + 2 * groups + packed_bytes(groups, bits) + 300


def rung_distance(rule: SizeRule, widths: Mapping[str, int]) -> int:
    rungs = [rule.ladder.index(bits) for bits in widths.values()]
    return max(rungs) - min(rungs)


def algorithm_1(weights: Sequence[int], order: Sequence[int], budget_mib: float) -> list[int]:
    """The paper's listing, word for word."""

    def size() -> float:
        return sum(bits / 8 * count / 1024**2 for bits, count in zip(b, weights, strict=True))

    b = [32] * len(weights)
    while size() > budget_mib:
        for layer in order:
            b[layer] -= 1
            if size() <= budget_mib:
                return b
    return b


def test_the_published_code_stops_below_the_budget() -> None:
    items = items_of([(100, 0.3), (200, 0.1), (50, 0.2)])
    whole = 350 * 6 / 8  # what six bits each take
    for method, expected in (("uniformity", [6, 6, 6]), ("uniformity_below", [6, 5, 6])):
        found = allocate(Problem(items, PaperSize(), Request(method, whole)))
        assert [found.widths[item.name] for item in items] == expected
        roomy = allocate(Problem(items, PaperSize(), Request(method, whole + 1)))
        assert set(roomy.widths.values()) == {6}
    with pytest.raises(BudgetError, match="smallest feasible size"):
        allocate(Problem(items, PaperSize(), Request("uniformity_below", 350 / 8)))
    with pytest.raises(AllocationError, match="'uniformity_below' without a budget"):
        allocate(Problem(items, PaperSize(), Request("uniformity_below")))


def test_other_parameters_count_at_32_bits() -> None:
    items, rule = items_of([(100, 0.3), (200, 0.1)]), ParameterSize(10)
    assert rule.size(items, {"l0": 8, "l1": 32}) == 40 + 100 + 800
    assert (rule.ladder, rule.is_file) == (PaperSize.ladder, False)
    found = allocate(Problem(items, rule, Request("uniformity_below", 940.0), {"l1": 32}))
    assert found.widths == {"l0": 7, "l1": 32}


@settings(deadline=None, max_examples=150)
@given(MODELS, ORDERS, st.integers(4, 127))
def test_paper_rule_is_algorithm_1(model: list[tuple[int, float]], order: Any, share: int) -> None:
    items = items_of(model)
    # A 128th of the whole: at least one bit each, and a budget that the sums reach exactly.
    budget = max(share / 128, 1 / 32) * sum(item.num_weights for item in items) * 4
    sign = 1 if order == "ascending" else -1
    argsort = sorted(range(len(items)), key=lambda i: sign * items[i].sensitivity)
    if order == "shuffled":
        random.Random(0).shuffle(argsort := list(range(len(items))))
    expected = algorithm_1([item.num_weights for item in items], argsort, budget / 1024**2)
    found = allocate(Problem(items, PaperSize(), Request(budget=budget, order=order)))
    assert list(found.widths.values()) == expected


@settings(deadline=None, max_examples=150)
@given(MODELS, ORDERS, st.floats(0.02, 1.2), st.booleans(), st.booleans())
def test_budget_is_met_within_one_rung(
    model: list[tuple[int, float]], order: Any, share: float, file: bool, fill: bool
) -> None:
    items = items_of(model)
    rule = table_of(items) if file else PaperSize()
    budget = rule.size(items, {item.name: 32 for item in items}) * share
    problem = Problem(items, rule, Request(budget=budget, order=order, fill=fill))
    try:
        found = allocate(problem)
    except BudgetError:
        assert rule.size(items, {item.name: 1 for item in items}) > budget
        return
    assert found.size == rule.size(items, found.widths) <= budget
    assert set(found.widths) == {item.name for item in items}
    assert rung_distance(rule, found.widths) <= 1


@settings(deadline=None, max_examples=80)
@given(MODELS, ORDERS, st.floats(0.1, 0.9), st.floats(1.0, 1.5), st.booleans())
def test_more_bytes_never_take_bits_away(
    model: list[tuple[int, float]], order: Any, share: float, more: float, file: bool
) -> None:
    items = items_of(model)
    rule = table_of(items) if file else PaperSize()
    least = rule.size(items, {item.name: 1 for item in items})
    budget = least + share * (rule.size(items, {item.name: 32 for item in items}) - least)
    small, large = (
        allocate(Problem(items, rule, Request(budget=b, order=order, fill=False))) for b in (budget, budget * more)
    )
    assert all(small.widths[name] <= large.widths[name] for name in small.widths)
    filled = allocate(Problem(items, rule, Request(budget=budget, order=order, fill=True)))
    assert all(small.widths[name] <= filled.widths[name] for name in small.widths)


def test_infeasible_budget_names_the_smallest_size_that_works() -> None:
    items = items_of([(800, 0.5), (80, 0.1)])
    with pytest.raises(BudgetError, match=r"smallest feasible size is 110 bytes"):
        allocate(Problem(items, PaperSize(), Request(budget=109)))
    assert set(allocate(Problem(items, PaperSize(), Request(budget=110))).widths.values()) == {1}
    with pytest.raises(BudgetError, match=r"size is 220 bytes.*lower the minimum width"):
        allocate(Problem(items, PaperSize(), Request(budget=110, min_bits=2)))
    with pytest.raises(BudgetError, match="positive"):
        Request(budget=0)


def test_bounds_and_fixed_widths_hold() -> None:
    items = items_of([(800, 0.5), (80, 0.1), (160, 0.2)])
    request = Request(budget=500, min_bits=3, max_bits=6)
    widths = allocate(Problem(items, PaperSize(), request, {"l0": 2})).widths
    assert widths == {"l0": 2, "l1": 6, "l2": 6}
    with pytest.raises(AllocationError, match="no item"):
        Problem(items, PaperSize(), request, {"l9": 2})
    with pytest.raises(AllocationError, match="nearest choice is 8"):
        Problem(items, table_of(items), request, {"l0": 9})
    with pytest.raises(AllocationError, match="no width between 9 and 12"):
        allocate(Problem(items, table_of(items), Request(budget=500, min_bits=9, max_bits=12)))


def test_fill_gives_spare_bytes_to_the_last_lowered_that_fit() -> None:
    # Lowering the large layer last leaves 900 bytes; both small ones fit back.
    items = items_of([(800, 0.1), (1600, 0.2), (9600, 0.3)])
    whole = 12_000
    short = Request(budget=whole * 8 / 8 - 300, max_bits=8, fill=False)
    assert list(allocate(Problem(items, PaperSize(), short)).widths.values()) == [7, 7, 8]
    request = Request(budget=whole - 301, max_bits=8, fill=True)
    assert list(allocate(Problem(items, PaperSize(), request)).widths.values()) == [8, 8, 7]


def test_orders() -> None:
    items = items_of([(8, 0.3), (8, 0.1), (8, 0.2), (8, 0.1)])

    def first(order: Any, seed: int = 0) -> list[str]:
        return [item.name for item in Problem(items, PaperSize(), Request(order=order, seed=seed)).free]

    assert first("ascending") == ["l1", "l3", "l2", "l0"]
    assert first("descending") == ["l0", "l2", "l1", "l3"]
    assert first("shuffled", 1) == first("shuffled", 1)
    assert len({tuple(first("shuffled", seed)) for seed in range(20)}) > 5
    with pytest.raises(AllocationError, match="known: ascending"):
        Request(order="reversed")  # type: ignore[arg-type]


def test_uniform() -> None:
    items = items_of([(800, 0.5), (80, 0.1)])
    assert set(allocate(Problem(items, PaperSize(), Request("uniform", budget=445))).widths.values()) == {4}
    found = allocate(Problem(items, PaperSize(), Request("uniform", uniform_bits=5), {"l1": 8}))
    assert dict(found.widths) == {"l0": 5, "l1": 8}
    assert found.size == 500 + 80
    with pytest.raises(BudgetError, match="110 bytes"):
        allocate(Problem(items, PaperSize(), Request("uniform", budget=100)))
    with pytest.raises(BudgetError, match="550 bytes"):
        allocate(Problem(items, PaperSize(), Request("uniform", budget=300, uniform_bits=5)))
    with pytest.raises(AllocationError, match="nearest choice is 8"):
        allocate(Problem(items, table_of(items), Request("uniform", uniform_bits=10)))
    with pytest.raises(AllocationError, match="without a width or a budget"):
        allocate(Problem(items, PaperSize(), Request("uniform")))
    with pytest.raises(AllocationError, match="take uniform"):
        Request(uniform_bits=4)


def test_linear_spreads_widths_by_rank() -> None:
    items = items_of([(8, 0.3), (8, 0.1), (8, 0.2), (8, 0.5), (8, 0.4)])
    request = Request("linear", min_bits=2, max_bits=6)
    assert dict(allocate(Problem(items, PaperSize(), request)).widths) == {"l0": 4, "l1": 2, "l2": 3, "l3": 6, "l4": 5}
    wide = Request("linear", min_bits=4, max_bits=32)
    widths = allocate(Problem(items, table_of(items), wide)).widths
    assert [widths[f"l{i}"] for i in (1, 2, 0, 4, 3)] == [4, 8, 16, 32, 32]
    with pytest.raises(BudgetError):
        allocate(Problem(items, PaperSize(), Request("linear", budget=10)))


@settings(deadline=None, max_examples=60)
@given(MODELS, ORDERS, st.integers(1, 8), st.integers(0, 8))
def test_linear_widths_follow_the_order_between_their_bounds(
    model: list[tuple[int, float]], order: Any, low: int, more: int
) -> None:
    problem = Problem(items_of(model), PaperSize(), Request("linear", order=order, min_bits=low, max_bits=low + more))
    widths = allocate(problem).widths
    ordered = [widths[item.name] for item in problem.free]
    assert ordered == sorted(ordered)
    assert ordered[0] == low and (len(ordered) == 1 or ordered[-1] == low + more)


def test_unknown_method_and_missing_budget() -> None:
    items = items_of([(8, 0.3)])
    with pytest.raises(MyqasrError, match="unknown allocation 'hopeful'"):
        allocate(Problem(items, PaperSize(), Request("hopeful")))
    with pytest.raises(AllocationError, match="without a budget"):
        allocate(Problem(items, PaperSize(), Request()))
    with pytest.raises(AllocationError, match="one name"):
        Problem((*items, *items), PaperSize(), Request())


def whisper_tiny_en() -> list[Layer]:
    """Shapes of tiny.en, 37.8 M weights, the tied embedding 54 % of them."""
    shapes: dict[str, tuple[int, ...]] = {"conv1": (384, 80, 3), "conv2": (384, 384, 3)}
    for side, attentions in (("encoder", ("self",)), ("decoder", ("self", "cross"))):
        for layer in range(4):
            for attention in attentions:
                shapes |= {f"{side}.{layer}.{attention}.{p}": (384, 384) for p in "qkvo"}
            shapes |= {f"{side}.{layer}.fc1": (1536, 384), f"{side}.{layer}.fc2": (384, 1536)}
    shapes["embed_tokens"] = (51864, 384)
    return [
        Layer(name, LayerKind.LINEAR, name, shape, (Use("model", name, LayerKind.LINEAR),))
        for name, shape in shapes.items()
    ]


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
@pytest.mark.parametrize("top_sensitivity", [True, False])
def test_row_blocks_use_the_budget_of_tiny_en(order: Any, top_sensitivity: bool) -> None:
    layers = whisper_tiny_en()
    rng = random.Random(3)
    sensitivity = {layer.name: rng.random() for layer in layers}
    sensitivity["embed_tokens"] = 2.0 if top_sensitivity else 0.5
    items = make_items(layers, sensitivity, split=True)
    rule = table_of(items)
    for megabytes in range(16, 39):
        budget = megabytes * 1e6
        found = allocate(Problem(items, rule, Request(budget=budget, order=order)))
        assert 0.99 * budget <= found.size <= budget
        assert rung_distance(rule, found.widths) <= 1
        blocks = [found.widths[item.name] for item in items if item.layer == "embed_tokens"]
        assert sum(a != b for a, b in pairwise(blocks)) <= 1
