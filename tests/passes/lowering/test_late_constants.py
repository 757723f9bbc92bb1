"""LateConstants: the same values, the floats of one layer at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from passes.base import Fact, Program
from passes.errors import PassOrderError
from passes.graph import ops
from passes.lowering.fold_constants import computed_constants
from passes.lowering.late_constants import LateConstants
from passes.lowering.lower_fake_quant import LowerToFakeQuant
from passes.manager.manager import PassManager
from passes.numbers.scheme import Granularity, WeightSpec

TOKENS = torch.arange(12).view(2, 6)
SPECS = (WeightSpec(5, Granularity("tensor"), False), WeightSpec(3, Granularity("channel"), True))


@pytest.fixture
def lowered(rounded: Callable[..., Program]) -> Program:
    program = rounded(*SPECS, activation_bits=8)
    LowerToFakeQuant()(program)
    return program


def test_the_same_values_right_before_they_are_read(lowered: Program) -> None:
    module = lowered.graphs["model"]
    expected = module(TOKENS)
    result = PassManager((LateConstants(),), frozenset({Fact.FAKE_QUANT}))(lowered)
    assert result.modified
    assert torch.equal(module(TOKENS), expected)
    constants = dict.fromkeys(computed_constants(module.graph))
    assert constants
    for node in constants:
        after = node.next
        while after in constants or after.op == "get_attr":
            after = after.next
        assert any(user is after or user in constants for user in node.users), node.name
    assert any(ops.role_of(node) is not None for node in module.graph.nodes)


def test_moving_twice_changes_nothing(lowered: Program) -> None:
    LateConstants()(lowered)
    assert not LateConstants()(lowered).modified


def test_it_follows_the_lowering() -> None:
    with pytest.raises(PassOrderError, match="LateConstants, requires fake_quant"):
        PassManager((LateConstants(),))
