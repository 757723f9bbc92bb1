"""Scales of one layer by the mean over frames of how each frame's output compares, bias included.

As in ``passes.calibration.alternate``, weights and inputs take turns. All scales of a block of rows are the same
multiple of their own ranges: with one output channel a scale, a frame's output is judged as a whole all the same.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.3, as its published code
    compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from passes.activation_ranges.method import InputRange
from passes.calibration.alternate import ROUNDS, LayerSearch
from passes.calibration.objective import Objective
from passes.calibration.rows_read import LayerRows, Searched
from passes.calibration.search import ROWS, pieces, round_each
from passes.numbers.affine import QParams, dequantize, qparams_from_range, quantize
from passes.numbers.factors import FACTORS
from passes.numbers.scheme import RowBlock
from passes.numbers.twin import ActivationQParams

Tried = TypeVar("Tried")


def search_layer_per_frame(search: LayerSearch, objective: Objective) -> Searched:
    """Qparams of each block of rows (None for a float one), and of the input.

    Raises:
        QuantizationError: A range cannot be quantized.
    """
    if search.inputs is None:
        return _blocks(search, search.read.inputs, objective), None
    candidates, chosen = search.inputs.candidates(), search.inputs.start()
    step = max(1, -(-len(search.weight) // ROWS))
    rows = range(0, len(search.weight), step)
    expected = _outputs(search, search.read.inputs, search.weight[::step], rows)
    for _ in range(ROUNDS):
        read = tuple(round_each(part, [chosen])[0] for part in search.read.inputs)
        blocks = _blocks(search, read, objective)
        weight = torch.cat([_rounded(w, qparams) for w, qparams in zip(_parts(search), blocks, strict=True)])[::step]
        losses: list[float] = []
        numbers = sum(part.numel() for part in search.read.inputs) + expected.numel()
        for some in pieces(len(candidates), numbers):
            tried = [round_each(part, candidates[some]) for part in search.read.inputs]
            losses += _losses(objective, expected, _outputs(search, tried, weight, rows))
        chosen = _best(candidates, losses)
    return blocks, (chosen,)


def search_product_per_frame(read: LayerRows, ranges: tuple[InputRange, InputRange], objective: Objective) -> Searched:
    """Qparams of both operands of a product of activations, whose left rows are the frames."""
    chosen, candidates = [side.start() for side in ranges], [side.candidates() for side in ranges]
    for _ in range(ROUNDS):
        for index in (0, 1):
            totals = torch.zeros(len(candidates[index]))
            for left, right in zip(read.inputs, read.others, strict=True):
                for some in pieces(len(totals), left.numel() + right.numel() + len(left) * len(right)):
                    tried: list[Sequence[ActivationQParams]] = [chosen[:1], chosen[1:]]
                    tried[index] = candidates[index][some]
                    got = round_each(left, tried[0]) @ round_each(right, tried[1]).transpose(-1, -2)
                    totals[some] += len(left) * torch.tensor(_losses(objective, left @ right.T, got))
            chosen[index] = _best(candidates[index], totals.tolist())
    return None, tuple(chosen)


def _blocks(search: LayerSearch, read: Sequence[Tensor], objective: Objective) -> tuple[QParams | None, ...]:
    return tuple(
        None if block.spec.is_float else _block(search, block, read, objective) for block in search.scheme.blocks
    )


def _block(search: LayerSearch, block: RowBlock, read: Sequence[Tensor], objective: Objective) -> QParams:
    spec, weight = block.spec, search.weight[block.start : block.stop]
    group, step = spec.granularity.group_of(weight.shape[1]), max(1, -(-len(weight) // ROWS))
    tensor = spec.granularity.kind == "tensor"
    groups = weight.reshape(1, 1, -1) if tensor else weight.reshape(len(weight), -1, group)
    low, high = search.method.weight(groups, spec.bits, spec.symmetric)
    candidates = [qparams_from_range(low * f, high * f, spec.bits, spec.symmetric, group) for f in FACTORS]
    rows = range(block.start, block.stop, step)
    expected = _outputs(search, search.read.inputs, weight[::step], rows)
    tried = (_rounded(weight, qparams)[::step] for qparams in candidates)
    got = (_outputs(search, read, rounded, rows).unsqueeze(0) for rounded in tried)
    return _best(candidates, [loss for outputs in got for loss in _losses(objective, expected, outputs)])


def _outputs(search: LayerSearch, read: Sequence[Tensor], weight: Tensor, rows: range) -> Tensor:
    """(…, S, n) of inputs (…, S, K) and some rows of the weight, bias included; each row meets its own part of them."""
    found, start = [], 0
    for index, part in enumerate(read):
        count = sum(1 for row in rows if row // search.rows == index)
        found.append(part @ weight[start : start + count].T)
        start += count
    product = torch.cat(found, dim=-1)
    return product if search.bias is None else product + search.bias[rows.start : rows.stop : rows.step]


def _losses(objective: Objective, expected: Tensor, got: Tensor) -> list[float]:
    """Mean over frames of each of C outputs (C, S, n)."""
    means: list[float] = objective.loss(objective.terms(expected, got, None)).mean(-1).tolist()
    return means


def _best(candidates: Sequence[Tried], losses: list[float]) -> Tried:
    return candidates[losses.index(min(losses))]


def _parts(search: LayerSearch) -> Iterator[Tensor]:
    return (search.weight[block.start : block.stop] for block in search.scheme.blocks)


def _rounded(rows: Tensor, qparams: QParams | None) -> Tensor:
    return rows if qparams is None else dequantize(quantize(rows, qparams), qparams)
