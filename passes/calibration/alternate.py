"""Scales of one layer by its output: the weight's with the inputs as they are quantized now, then the inputs', in turn.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from passes.activation_ranges.method import InputRange
from passes.calibration.method import RangeMethod
from passes.calibration.objective import Objective
from passes.calibration.rows_read import LayerRows, Searched
from passes.calibration.search import ROWS, Side, round_each, search_rows, search_tensor
from passes.numbers.affine import QParams, dequantize, qparams_from_range, quantize
from passes.numbers.factors import multiples
from passes.numbers.scheme import LayerScheme, RowBlock
from passes.numbers.twin import ActivationQParams

ROUNDS = 3
"""Rounds over weights and inputs; without quantized inputs one suffices."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerSearch:
    """What a layer with a weight is searched with.

    Args:
        weight: (N, K); the rows of a grouped convolution belong to the parts of what it reads in equal runs.
        scheme: Widths of its rows.
        read: What it reads.
        method: With an objective.
        inputs: Range of its quantized input; None when it stays float, as it must with groups of weights.
        bias: (N,) where the objective compares it.
    """

    weight: Tensor = field(repr=False)
    scheme: LayerScheme
    read: LayerRows
    method: RangeMethod
    inputs: InputRange | None
    bias: Tensor | None = field(default=None, repr=False)

    @property
    def rows(self) -> int:
        """Rows of the weight that one part meets."""
        return len(self.weight) // len(self.read.inputs)


def search_layer(search: LayerSearch, objective: Objective) -> Searched:
    """Qparams of each block of rows (None for a float one), and of the input.

    Args:
        search: The layer.
        objective: Compares outputs.

    Raises:
        QuantizationError: A range cannot be quantized, or the objective lacks gradients.
    """
    if search.inputs is None:
        return _search_blocks(search, search.read.inputs, objective), None
    candidates, chosen = search.inputs.candidates(), search.inputs.start()
    for _ in range(ROUNDS):
        rounded = tuple(_rounded(part, chosen) for part in search.read.inputs)
        blocks = _search_blocks(search, rounded, objective)
        chosen = search_tensor(list(_input_sides(search, blocks)), candidates, objective)
    return blocks, (chosen,)


def search_product(read: LayerRows, ranges: tuple[InputRange, InputRange], objective: Objective) -> Searched:
    """Qparams of both operands of a product of activations.

    Args:
        read: With the right operands.
        ranges: Of the left and the right operand.
        objective: Compares outputs.
    """
    operands = (read.inputs, read.others)
    chosen = [side.start() for side in ranges]
    candidates = [side.candidates() for side in ranges]
    for _ in range(ROUNDS):
        for index in (0, 1):
            sides = []
            for part, (varied, other) in enumerate(zip(operands[index], operands[1 - index], strict=True)):
                fixed = _rounded(other, chosen[1 - index])
                gradient = read.gradients[part] if read.gradients else None
                if gradient is not None and index:
                    gradient = gradient.T
                sides.append(Side(varied, fixed, varied @ other.T, gradient))
            chosen[index] = search_tensor(sides, candidates[index], objective)
    return None, tuple(chosen)


def _search_blocks(search: LayerSearch, inputs: tuple[Tensor, ...], objective: Objective) -> tuple[QParams | None, ...]:
    return tuple(
        None if block.spec.is_float else _search_block(search, block, inputs, objective)
        for block in search.scheme.blocks
    )


def _search_block(search: LayerSearch, block: RowBlock, inputs: tuple[Tensor, ...], objective: Objective) -> QParams:
    spec, cols = block.spec, search.weight.shape[1]
    width, group = (spec.bits, spec.symmetric), spec.granularity.group_of(cols)
    rows = search.weight[block.start : block.stop]
    if spec.granularity.kind == "tensor":
        low, high = search.method.weight(rows.reshape(1, 1, -1), *width)
        sides = [side for _, side in _weight_sides(search, block, inputs)]
        ends = float(low), float(high)
        make = _one_scale(width, group)
        return search_tensor(sides, multiples(*ends, make), objective)
    low, high = search.method.weight(rows.reshape(len(rows), -1, group), *width)
    found = [
        search_rows(side, (low[part], high[part]), width, objective)
        for part, side in _weight_sides(search, block, inputs)
    ]
    scale, zero_point = (torch.cat(parts) for parts in ([q.scale for q in found], [q.zero_point for q in found]))
    return QParams(spec.bits, spec.symmetric, group, scale, zero_point)


def _one_scale(width: tuple[int, bool], group: int) -> Callable[[float, float], QParams]:
    """Makes qparams of one scale for all rows."""

    def make(low: float, high: float) -> QParams:
        ends = torch.tensor([[low]]), torch.tensor([[high]])
        return qparams_from_range(*ends, *width, group)

    return make


def _weight_sides(search: LayerSearch, block: RowBlock, inputs: tuple[Tensor, ...]) -> Iterator[tuple[slice, Side]]:
    """The runs of rows of ``block`` that meet one part of what is read, counted from its first row."""
    for index, (exact, rounded) in enumerate(zip(search.read.inputs, inputs, strict=True)):
        first = index * search.rows
        start, stop = max(block.start, first), min(block.stop, first + search.rows)
        if start >= stop:
            continue
        rows = search.weight[start:stop]
        gradient = None
        if search.read.gradients:
            gradient = search.read.gradients[index][:, start - first : stop - first].T
        bias = None if search.bias is None else search.bias[start:stop, None].expand(-1, len(exact))
        expected = rows @ exact.T
        expected = expected if bias is None else expected + bias
        yield slice(start - block.start, stop - block.start), Side(rows, rounded, expected, gradient, bias)


def _input_sides(search: LayerSearch, blocks: tuple[QParams | None, ...]) -> Iterator[Side]:
    """Every part of what is read against at most ``ROWS`` rows of the quantized weight."""
    weight = torch.cat(
        [
            rows if qparams is None else dequantize(quantize(rows, qparams), qparams)
            for rows, qparams in zip(_rows_of(search), blocks, strict=True)
        ]
    )
    step = max(1, -(-search.rows // ROWS))
    for index, exact in enumerate(search.read.inputs):
        rows = slice(index * search.rows, (index + 1) * search.rows, step)
        gradient = search.read.gradients[index][:, ::step] if search.read.gradients else None
        bias = None if search.bias is None else search.bias[rows].expand(len(exact), -1)
        expected = exact @ search.weight[rows].T
        yield Side(exact, weight[rows], expected if bias is None else expected + bias, gradient, bias)


def _rows_of(search: LayerSearch) -> list[Tensor]:
    return [search.weight[block.start : block.stop] for block in search.scheme.blocks]


def _rounded(values: Tensor, qparams: ActivationQParams) -> Tensor:
    """``values`` of any shape as they are quantized."""
    return round_each(values, [qparams])[0]
