"""A quantized weight of several blocks of rows."""

from __future__ import annotations

import pytest
import torch

from passes.errors import QuantizationError
from passes.numbers.affine import qparams_from_range, quantize
from passes.numbers.quantized_weight import FloatBlock, QuantizedBlock, QuantizedWeight, fits_float16
from passes.numbers.scheme import Granularity, RowBlock, WeightSpec

CHANNEL = Granularity("channel")


def coded(rows: RowBlock, weight: torch.Tensor) -> QuantizedBlock:
    part = weight.reshape(len(weight), -1)[rows.start : rows.stop]
    low, high = part.amin(1, keepdim=True), part.amax(1, keepdim=True)
    qparams = qparams_from_range(low, high, rows.spec.bits, rows.spec.symmetric, part.shape[1])
    return QuantizedBlock(rows, quantize(part, qparams), qparams)


def test_blocks_join_in_the_shape_of_the_weight() -> None:
    weight = torch.randn(6, 4, 3)
    floats = RowBlock(0, 2, WeightSpec(32))
    codes = RowBlock(2, 6, WeightSpec(8, CHANNEL))
    blocks = (FloatBlock(floats, weight[:2].reshape(2, 12)), coded(codes, weight))
    values = QuantizedWeight((6, 4, 3), blocks).dequantize()
    assert values.shape == weight.shape
    assert torch.equal(values[:2], weight[:2])
    torch.testing.assert_close(values[2:], weight[2:], rtol=0, atol=0.02)


def test_one_block() -> None:
    weight = torch.randn(6, 12)
    block = coded(RowBlock(0, 6, WeightSpec(4, CHANNEL, symmetric=True)), weight)
    assert torch.equal(QuantizedWeight((6, 12), (block,)).dequantize(), block.dequantize())


def test_gaps_and_wrong_types_are_refused() -> None:
    weight = torch.randn(6, 12)
    whole = coded(RowBlock(0, 6, WeightSpec(8, CHANNEL)), weight)
    with pytest.raises(QuantizationError, match="end at row 6"):
        QuantizedWeight((7, 12), (whole,))
    with pytest.raises(QuantizationError, match="expected 13 columns"):
        QuantizedWeight((6, 13), (whole,))
    with pytest.raises(QuantizationError, match="expected 12 columns at row 0"):
        QuantizedWeight((6, 12), (coded(RowBlock(1, 6, WeightSpec(8, CHANNEL)), weight),))
    with pytest.raises(QuantizationError, match="for a block"):
        QuantizedBlock(RowBlock(0, 6, WeightSpec(4, CHANNEL)), whole.codes, whole.qparams)
    with pytest.raises(QuantizationError, match=r"expected torch.uint8 \(5, K\)"):
        QuantizedBlock(RowBlock(0, 5, WeightSpec(8, CHANNEL)), whole.codes, whole.qparams)
    with pytest.raises(QuantizationError, match="8 bits"):
        FloatBlock(RowBlock(0, 6, WeightSpec(8, CHANNEL)), weight)
    with pytest.raises(QuantizationError, match="expected float32"):
        FloatBlock(RowBlock(0, 6, WeightSpec(32)), weight.double())


def test_half_blocks_hold_float16_values() -> None:
    rows = RowBlock(0, 1, WeightSpec(16, half=True))
    assert FloatBlock(rows, torch.tensor([[0.5, 65504.0]])).cols == 2
    for value in (0.1, 70000.0, float("inf")):
        with pytest.raises(QuantizationError, match="beyond float16"):
            FloatBlock(rows, torch.tensor([[value]]))
    assert not fits_float16(torch.tensor([1.0, 1e6]))
