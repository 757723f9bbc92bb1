"""AllocateBits: layers to items and widths to blocks of rows."""

from __future__ import annotations

import pytest

from passes.allocation.allocate_bits import AllocateBits, Override, allocation_items, allocation_problem, read_scheme
from passes.allocation.problem import Request
from passes.allocation.size_rule import FileSize, PaperSize
from passes.base import Program
from passes.errors import AllocationError, BudgetError
from passes.graph import meta
from passes.graph.layers import find_layers, nodes_of
from passes.numbers.scheme import Granularity
from passes.observe.activation_stats import Statistics
from passes.sensitivity.rank_sensitivity import RankSensitivity

GROUP = Granularity("group", 16)
WEIGHTS = {"embed": 48 * 32, "conv": 32 * 96, "fc": 64 * 32}


@pytest.fixture
def ranked(tiny_program: Program, tiny_statistics: Statistics) -> Program:
    return RankSensitivity(tiny_statistics)(tiny_program).program


def file_rule(program: Program) -> FileSize:
    items = allocation_items(program, split=True)
    return FileSize({i.name: {b: i.num_weights * b // 8 for b in FileSize.ladder} for i in items}, 100)


def test_every_use_of_a_weight_carries_one_scheme(ranked: Program) -> None:
    budget = sum(WEIGHTS.values()) * 4.5 / 8
    assert AllocateBits(PaperSize(), Request(budget=budget), GROUP, symmetric=True)(ranked).modified
    schemes = read_scheme(ranked).layers
    assert list(schemes) == ["embed", "conv", "fc"]
    assert sum(WEIGHTS[name] * scheme.mean_bits / 8 for name, scheme in schemes.items()) <= budget
    for layer in find_layers(ranked):
        found = {meta.get(node, meta.SCHEME) for _, node in nodes_of(ranked, layer)}
        assert found == ({schemes[layer.name]} if layer.weight else {None})
    spec = schemes["fc"].blocks[0].spec
    assert (spec.granularity, spec.symmetric, spec.half, spec.bits in (4, 5)) == (GROUP, True, False, True)
    assert schemes["fc"].rounding == "rtn"
    assert schemes["fc"].reason is None


def test_counting_files_splits_rows_into_two_blocks_at_most(ranked: Program) -> None:
    rule = file_rule(ranked)
    for budget in range(1000, 6000, 250):
        AllocateBits(rule, Request(budget=budget), GROUP)(ranked)
        schemes = read_scheme(ranked).layers
        assert {name: scheme.rows for name, scheme in schemes.items()} == {"embed": 48, "conv": 32, "fc": 64}
        assert all(len(scheme.blocks) <= 2 for scheme in schemes.values())
        # The first rows keep the wider code.
        assert all(s.blocks[0].spec.bits >= s.blocks[-1].spec.bits for s in schemes.values())
        used = sum(WEIGHTS[name] * scheme.mean_bits / 8 for name, scheme in schemes.items())
        assert 0.97 * budget < used + 100 <= budget


def test_overrides_fix_width_and_granularity(ranked: Program) -> None:
    overrides = {"fc": Override(bits=16, reason="asked for"), "embed": Override(granularity=Granularity("channel"))}
    AllocateBits(file_rule(ranked), Request(budget=7000), GROUP, overrides=overrides)(ranked)
    schemes = read_scheme(ranked).layers
    (block,) = schemes["fc"].blocks
    assert (block.spec.bits, block.spec.half, schemes["fc"].reason) == (16, True, "asked for")
    assert {b.spec.granularity.kind for b in schemes["embed"].blocks} == {"channel"}
    assert {b.spec.granularity for b in schemes["conv"].blocks} == {GROUP}
    with pytest.raises(AllocationError, match="'fc9', which is no layer"):
        AllocateBits(PaperSize(), Request(budget=7000), GROUP, overrides={"fc9": Override(bits=4)})(ranked)


def test_sixteen_bits_are_float16_in_both_rules(ranked: Program) -> None:
    request = Request("uniform", uniform_bits=16)
    AllocateBits(PaperSize(), request, GROUP)(ranked)
    assert read_scheme(ranked).layers["fc"].blocks[0].spec.half
    AllocateBits(file_rule(ranked), request, GROUP)(ranked)
    assert read_scheme(ranked).layers["fc"].is_float
    assert read_scheme(ranked).layers["fc"].reason == "the budget allows it"


def test_feasibility_is_known_before_any_statistics(tiny_program: Program) -> None:
    with pytest.raises(BudgetError, match="smallest feasible size is 832 bytes"):
        AllocateBits(PaperSize(), Request(budget=800), GROUP)(tiny_program)
    problem = allocation_problem(tiny_program, PaperSize(), Request(budget=832), {"fc": Override(bits=2)})
    assert dict(problem.fixed) == {"fc": 2}
    assert {item.sensitivity for item in problem.items} == {0.0}
