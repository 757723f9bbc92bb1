"""Searches by frame against one candidate and one frame after the other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from passes.activation_ranges.single import SingleRange
from passes.calibration import REGISTRY
from passes.calibration.alternate import LayerSearch
from passes.calibration.per_frame import search_layer_per_frame, search_product_per_frame
from passes.calibration.rows_read import LayerRows
from passes.numbers.affine import QParams, activation_qparams, qparams_from_range
from passes.numbers.factors import FACTORS
from passes.numbers.scheme import Granularity, LayerScheme, RowBlock, WeightSpec

BITS = 3
METHOD = REGISTRY["cosine_per_frame"]


def values(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).pow(3)


def by_frame(expected: Tensor, got: Tensor) -> float:
    return sum(float(cosine_similarity(y, q, dim=0)) for y, q in zip(expected, got, strict=True)) / len(expected)


def weights_tried(weight: Tensor, granularity: str) -> list[QParams]:
    rows = weight if granularity == "channel" else weight.reshape(1, -1)
    low, high = rows.amin(-1, keepdim=True), rows.amax(-1, keepdim=True)
    return [qparams_from_range(low * f, high * f, BITS, False, weight.shape[1]) for f in FACTORS]


def rounded(x: Tensor, qparams: object) -> Tensor:
    assert isinstance(qparams, QParams)
    codes = (x / qparams.scale).round() + qparams.zero_point
    return (codes.clamp(0, 2**BITS - 1) - qparams.zero_point) * qparams.scale


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
@pytest.mark.parametrize("parts", [1, 2])
def test_weights(granularity: str, parts: int) -> None:
    """Two parts are two groups of a convolution: a frame's output is that of both."""
    weight, bias = values(1, 6, 8), values(2, 6)
    read = [values(3 + part, 9, 8) for part in range(parts)]
    spec = WeightSpec(BITS, Granularity.parse(granularity))
    scheme = LayerScheme("fc", (RowBlock(0, 6, spec),))
    search = LayerSearch(weight, scheme, LayerRows(tuple(read)), METHOD, None, bias)
    assert METHOD.objective is not None
    ((found,), inputs) = search_layer_per_frame(search, METHOD.objective)  # type: ignore[misc]

    def output(matrix: Tensor) -> Tensor:
        pieces = [x @ rows.T for x, rows in zip(read, matrix.chunk(parts), strict=True)]
        return torch.cat(pieces, dim=1) + bias

    tried = weights_tried(weight, granularity)
    scores = [by_frame(output(weight), output(rounded(weight, qparams))) for qparams in tried]
    assert inputs is None and isinstance(found, QParams)
    assert torch.equal(found.scale, tried[scores.index(max(scores))].scale)
    plain = [by_frame(output(weight) - bias, output(rounded(weight, q)) - bias) for q in tried]
    assert granularity == "channel" or plain.index(max(plain)) != scores.index(max(scores))  # the bias counts


def test_weights_and_inputs_in_turn() -> None:
    weight, bias, read = values(11, 6, 8), values(12, 6), values(13, 9, 8)
    scheme = LayerScheme("fc", (RowBlock(0, 6, WeightSpec(BITS, Granularity("tensor"))),))
    ends = float(read.min()), float(read.max())
    search = LayerSearch(weight, scheme, LayerRows((read,)), METHOD, SingleRange(*ends, BITS), bias)
    assert METHOD.objective is not None
    ((blocks,), (inputs,)) = search_layer_per_frame(search, METHOD.objective)  # type: ignore[misc]

    expected, tried = read @ weight.T + bias, weights_tried(weight, "tensor")
    candidates = [activation_qparams(ends[0] * f, ends[1] * f, BITS) for f in FACTORS]
    chosen, best = activation_qparams(*ends, BITS), tried[0]
    for _ in range(3):
        x = rounded(read, chosen)
        scores = [by_frame(expected, x @ rounded(weight, qparams).T + bias) for qparams in tried]
        best = tried[scores.index(max(scores))]
        w = rounded(weight, best)
        scores = [by_frame(expected, rounded(read, qparams) @ w.T + bias) for qparams in candidates]
        chosen = candidates[scores.index(max(scores))]
    assert isinstance(inputs, QParams) and isinstance(blocks, QParams)
    assert torch.equal(blocks.scale, best.scale) and torch.equal(inputs.scale, chosen.scale)


def test_products() -> None:
    left, right = [values(21, 17, 15), values(22, 14, 15)], [values(23, 16, 15), values(24, 16, 15)]
    sides = [torch.cat(operands) for operands in (left, right)]
    ranges = [SingleRange(float(side.min()), float(side.max()), BITS) for side in sides]
    assert METHOD.objective is not None
    read = LayerRows(tuple(left), tuple(right))
    none, found = search_product_per_frame(read, (ranges[0], ranges[1]), METHOD.objective)
    chosen = [side.start() for side in ranges]
    for _ in range(3):
        for index in (0, 1):
            scores = []
            for qparams in ranges[index].candidates():
                both = [qparams, chosen[1]] if index == 0 else [chosen[0], qparams]
                frames = [
                    (a @ b.T, rounded(a, both[0]) @ rounded(b, both[1]).T) for a, b in zip(left, right, strict=True)
                ]
                scores.append(by_frame(*(torch.cat(outputs) for outputs in zip(*frames, strict=True))))
            chosen[index] = ranges[index].candidates()[scores.index(max(scores))]
    assert none is None and found is not None
    for ours, theirs in zip(found, chosen, strict=True):
        assert isinstance(ours, QParams) and torch.equal(ours.scale, theirs.scale)
