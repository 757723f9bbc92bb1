"""Weights and inputs in turn, on layers of every kind."""

from __future__ import annotations

import pytest
import torch

from passes.activation_ranges.single import SingleRange
from passes.calibration import REGISTRY
from passes.calibration.alternate import LayerSearch, _rounded, search_layer, search_product
from passes.calibration.objective import Objective
from passes.calibration.rows_read import LayerRows
from passes.errors import QuantizationError
from passes.numbers.affine import dequantize, qparams_from_range, quantize
from passes.numbers.scheme import Granularity, LayerScheme, RowBlock, WeightSpec

RANDOM = torch.Generator().manual_seed(0)
INPUTS = torch.randn(40, 32, generator=RANDOM).pow(3)
WEIGHT = torch.randn(16, 32, generator=RANDOM).pow(3)
TENSOR = Granularity("tensor")
RANGE = SingleRange(float(INPUTS.min()), float(INPUTS.max()), 4)


def objective(name: str) -> Objective:
    found = REGISTRY[name].objective
    assert found is not None
    return found


def scheme(*specs: WeightSpec, rows: int = 16) -> LayerScheme:
    size = rows // len(specs)
    return LayerScheme("fc", tuple(RowBlock(size * i, size * (i + 1), spec) for i, spec in enumerate(specs)))


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
def test_the_output_is_closer_than_with_whole_ranges(granularity: str) -> None:
    method, spec = REGISTRY["l2_norm"], WeightSpec(3, Granularity.parse(granularity))
    search = LayerSearch(WEIGHT, scheme(spec), LayerRows((INPUTS,)), method, RANGE)
    (weights,), (inputs,) = search_layer(search, objective("l2_norm"))  # type: ignore[misc]
    assert weights is not None
    got = _rounded(INPUTS, inputs) @ dequantize(quantize(WEIGHT, weights), weights).T
    groups = WEIGHT.reshape(1, 1, -1) if granularity == "tensor" else WEIGHT.reshape(16, 1, -1)
    plain = qparams_from_range(*method.weight(groups, 3, False), 3, False, 32)
    whole = _rounded(INPUTS, RANGE.start()) @ dequantize(quantize(WEIGHT, plain), plain).T
    expected = INPUTS @ WEIGHT.T
    assert (got - expected).norm() < 0.9 * (whole - expected).norm()


def test_float_inputs_and_float_blocks() -> None:
    specs = (WeightSpec(4, Granularity("group", 16)), WeightSpec(32))
    search = LayerSearch(WEIGHT, scheme(*specs), LayerRows((INPUTS,)), REGISTRY["cosine"], None)
    (first, second), inputs = search_layer(search, objective("cosine"))  # type: ignore[misc]
    assert inputs is None and second is None
    assert first is not None and tuple(first.scale.shape) == (8, 2)


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
@pytest.mark.parametrize("bits", [1, 4])
def test_a_grouped_convolution_is_a_layer_a_group(granularity: str, bits: int) -> None:
    """Blocks of rows cut across the groups."""
    spec = WeightSpec(bits, Granularity.parse(granularity))
    parts = (INPUTS[:, :16].contiguous(), INPUTS[:, 16:].contiguous())
    weight = WEIGHT[:, :16].contiguous()
    whole = LayerSearch(weight, scheme(spec), LayerRows(parts), REGISTRY["l2_norm"], None)
    (found,), _ = search_layer(whole, objective("l2_norm"))  # type: ignore[misc]
    assert found is not None
    if granularity == "channel":
        for rows, part in ((slice(0, 8), parts[0]), (slice(8, 16), parts[1])):
            alone = LayerSearch(weight[rows], scheme(spec, rows=8), LayerRows((part,)), REGISTRY["l2_norm"], None)
            (one,), _ = search_layer(alone, objective("l2_norm"))  # type: ignore[misc]
            assert one is not None and torch.equal(found.scale[rows], one.scale)
    blocks = LayerScheme("fc", (RowBlock(0, 5, spec), RowBlock(5, 16, spec)))
    cut = LayerSearch(weight, blocks, LayerRows(parts), REGISTRY["l2_norm"], None)
    (first, second), _ = search_layer(cut, objective("l2_norm"))  # type: ignore[misc]
    assert first is not None and second is not None
    if granularity == "channel":
        assert torch.equal(torch.cat([first.scale, second.scale]), found.scale)


def test_both_operands_of_a_product() -> None:
    left = (INPUTS[:10], INPUTS[10:20])
    right = (WEIGHT, WEIGHT.flip(0) * 1.5)
    gradients = tuple(torch.ones(10, 16) for _ in left)
    read = LayerRows(left, right, gradients)
    ranges = (
        SingleRange(float(read.values(0).min()), float(read.values(0).max()), 4),
        SingleRange(float(read.values(1).min()), float(read.values(1).max()), 4),
    )
    for name in ("l2_norm", "hessian"):
        none, found = search_product(read, ranges, objective(name))
        assert none is None and found is not None

        def error(pair: object) -> float:
            first, second = pair  # type: ignore[misc]
            return sum(
                float((_rounded(a, first) @ _rounded(b, second).T - a @ b.T).square().sum())
                for a, b in zip(left, right, strict=True)
            )

        assert error(found) < 0.8 * error([side.start() for side in ranges])


def test_a_search_by_hessian_needs_gradients() -> None:
    search = LayerSearch(WEIGHT, scheme(WeightSpec(4, TENSOR)), LayerRows((INPUTS,)), REGISTRY["hessian"], None)
    with pytest.raises(QuantizationError, match="without gradients"):
        search_layer(search, objective("hessian"))
    with pytest.raises(QuantizationError, match="rows of 1, 0, 2 parts"):
        LayerRows((INPUTS,), (), (INPUTS, INPUTS))
