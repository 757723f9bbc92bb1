"""FoldConstants: the same values, nothing left to dequantize."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from passes.base import Fact, Program
from passes.errors import PassOrderError
from passes.lowering.fold_constants import FoldConstants
from passes.lowering.lower_fake_quant import LowerToFakeQuant
from passes.manager.manager import PassManager
from passes.numbers.scheme import Granularity, WeightSpec

TOKENS = torch.arange(12).view(2, 6)
SPECS = (WeightSpec(5, Granularity("tensor"), False), WeightSpec(3, Granularity("channel"), True))


@pytest.mark.parametrize("activation_bits", [None, 8])
def test_the_same_values_without_codes(rounded: Callable[..., Program], activation_bits: int | None) -> None:
    program = rounded(*SPECS, activation_bits=activation_bits)
    LowerToFakeQuant()(program)
    module = program.graphs["model"]
    expected, before = module(TOKENS), len(module.graph.nodes)
    result = PassManager((FoldConstants(),), frozenset({Fact.FAKE_QUANT}))(program)
    assert result.modified
    assert torch.equal(module(TOKENS), expected)
    assert len(module.graph.nodes) < before
    assert not [name for name, _ in module.named_buffers() if name.endswith(("_codes", "_scale", "_zero_point"))]


def test_folding_twice_changes_nothing(rounded: Callable[..., Program]) -> None:
    program = rounded(*SPECS)
    LowerToFakeQuant()(program)
    FoldConstants()(program)
    assert not FoldConstants()(program).modified


def test_it_follows_the_lowering() -> None:
    with pytest.raises(PassOrderError, match="FoldConstants, requires fake_quant"):
        PassManager((FoldConstants(),))
