"""From what is known of an input to its range, and which inputs have two."""

from __future__ import annotations

import pytest
import torch
from torch import fx

from passes.activation_ranges import REGISTRY
from passes.activation_ranges.method import SeenInput
from passes.activation_ranges.single import SingleRange
from passes.activation_ranges.split import split_of
from passes.calibration.search import round_each
from passes.graph.ops import LayerKind
from passes.numbers.affine import QParams
from passes.numbers.twin import Split

aten = torch.ops.aten
SCORES = torch.randn(64, 200, generator=torch.Generator().manual_seed(0)) * 4
INPUTS = {Split.SIZE: SCORES.softmax(-1).reshape(-1), Split.SIGN: torch.nn.functional.gelu(SCORES).reshape(-1)}


def seen(split: Split | None, values: torch.Tensor, bits: int = 8) -> SeenInput:
    return SeenInput(float(values.min()), float(values.max()), bits, split, values)


@pytest.mark.parametrize("split", INPUTS)
def test_one_range_spends_no_code_beyond_what_was_seen(split: Split) -> None:
    values = INPUTS[split]
    start = REGISTRY["single"].make(seen(split, values)).start()
    assert isinstance(start, QParams)
    lowest, highest = (float((code - start.zero_point) * start.scale) for code in (0, 255))
    assert lowest == pytest.approx(min(float(values.min()), 0), abs=float(start.scale))
    assert highest == pytest.approx(float(values.max()), abs=float(start.scale))
    assert (int(start.zero_point) == 0) == (split is Split.SIZE)


@pytest.mark.parametrize("split", INPUTS)
@pytest.mark.parametrize("bits", [4, 8])
def test_two_ranges_are_closer_to_the_many_values_near_zero(split: Split, bits: int) -> None:
    values = INPUTS[split]
    near = values < (0.05 if split is Split.SIZE else 0)
    errors = {}
    for name, method in REGISTRY.items():
        rounded = round_each(values, [method.make(seen(split, values, bits)).start()])[0]
        errors[name] = float((rounded - values)[near].square().sum())
    assert errors["twin"] < 0.5 * errors["single"]


def test_other_inputs_have_one_range_whatever_is_asked() -> None:
    assert REGISTRY["twin"].make(seen(None, SCORES.reshape(-1))) == SingleRange(
        float(SCORES.min()), float(SCORES.max()), 8
    )


def test_a_softmax_keeps_its_end_and_a_gelu_its_minimum_while_candidates_vary() -> None:
    size = REGISTRY["twin"].make(seen(Split.SIZE, INPUTS[Split.SIZE])).candidates()
    assert len({q.coarse for q in size}) == 1 and len({q.fine for q in size}) == 16  # type: ignore[union-attr]
    low = float(INPUTS[Split.SIGN].min())
    for qparams in REGISTRY["twin"].make(seen(Split.SIGN, INPUTS[Split.SIGN])).candidates():
        assert not isinstance(qparams, QParams)
        assert qparams.fine * (qparams.top + 1) >= -low or qparams.exponent == 0


def test_what_makes_an_input_is_found_behind_what_arranges_it() -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")
    softmax = graph.call_function(aten.softmax.int, (x, -1))
    moved = graph.call_function(aten.reshape.default, (graph.call_function(aten.transpose.int, (softmax, 0, 1)), [4]))
    gelu = graph.call_function(aten.gelu.default, (x,))
    shifted = graph.call_function(aten.add.Tensor, (gelu, x))
    makers = (softmax, moved, gelu, shifted, x)
    assert [split_of(node, LayerKind.MATMUL) for node in makers] == [Split.SIZE, Split.SIZE, None, None, None]
    assert [split_of(node, LayerKind.LINEAR) for node in makers] == [None, None, Split.SIGN, None, None]
    assert {split_of(node, LayerKind.CONV1D) for node in makers} == {None}
