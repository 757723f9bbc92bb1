"""Scales by their effect on a layer's output: multiples of the range are tried, weights and inputs in turn.

All candidates of a layer are batched tensor work; rows and candidates come in pieces that bound the memory. Outputs
are compared without the bias, which drops out of their difference, unless the objective asks for it. Where one scale
serves a whole tensor, all outputs of at most ``ROWS`` evenly spread rows are compared; else each scale is judged by the
share of the output that its own weights make: that of a row for ``channel``, that of a group of inputs in a row for
``group``, to which no bias belongs.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from passes.calibration.objective import Objective
from passes.numbers.affine import QParams, levels_of, nearest_codes, qparams_from_range
from passes.numbers.factors import FACTORS
from passes.numbers.twin import ActivationQParams, TwinQParams, round_twin

ROWS = 1024
"""Rows of a weight that one scale for all of them is judged by."""

Tried = TypeVar("Tried", bound=ActivationQParams)

_NUMBERS = 1 << 22
"""Weights and outputs looked at together, all candidates of a piece counted."""

Width = tuple[int, bool]
"""Bits, and whether zero lies in the middle of the codes."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One operand that is searched, beside the one that is not: ``output = varied @ fixed^T``.

    Args:
        varied: (A, K) in full precision.
        fixed: (B, K) as it is quantized now.
        expected: (A, B) full-precision output.
        gradient: (A, B), where the objective uses it.
        bias: (A, B) that ``expected`` holds beside the product, where the objective compares it.
    """

    varied: Tensor = field(repr=False)
    fixed: Tensor = field(repr=False)
    expected: Tensor = field(repr=False)
    gradient: Tensor | None = field(default=None, repr=False)
    bias: Tensor | None = field(default=None, repr=False)

    def rows(self, part: slice) -> Side:
        """Some rows of the searched operand."""
        gradient, bias = (None if values is None else values[part] for values in (self.gradient, self.bias))
        return Side(self.varied[part], self.fixed, self.expected[part], gradient, bias)

    def output(self, product: Tensor) -> Tensor:
        """Products (…, A, B) with what is added to them."""
        return product if self.bias is None else product + self.bias


def search_tensor(sides: Sequence[Side], candidates: Sequence[Tried], objective: Objective) -> Tried:
    """The candidate that suits all sides, which share it, best.

    Args:
        sides: At least one.
        candidates: Of one kind and width, with (1, 1) scales.
        objective: Compares outputs.
    """
    total: Tensor | None = None
    for side in sides:
        step = max(1, -(-len(side.varied) // ROWS))
        side = side.rows(slice(None, None, step))
        sums = torch.cat(
            [
                _sums_of(side, round_each(side.varied, candidates[part]), objective).sum(-1)
                for part in pieces(len(candidates), side.varied.numel() + side.expected.numel())
            ],
            dim=1,
        )  # (T, C)
        total = sums if total is None else total + sums
    if total is None:
        return candidates[-1]
    return candidates[int(objective.loss(total).argmin())]


def round_each(values: Tensor, candidates: Sequence[ActivationQParams]) -> Tensor:
    """Values rounded to each of several qparams of one kind and width.

    Args:
        values: Of any shape.
        candidates: At least one, with (1, 1) scales.

    Returns:
        (C, *values.shape) for C candidates.
    """
    twins = [c for c in candidates if isinstance(c, TwinQParams)]
    if twins:
        return round_twin(values, twins)
    plain = [c for c in candidates if isinstance(c, QParams)]
    shape = (len(plain), *(1,) * values.ndim)
    scale = torch.cat([c.scale for c in plain]).reshape(shape)
    zero_point = torch.cat([c.zero_point for c in plain]).to(torch.float32).reshape(shape)
    return _round(values, scale, zero_point, (plain[0].bits, plain[0].symmetric))


def _sums_of(side: Side, rounded: Tensor, objective: Objective) -> Tensor:
    """(T, C, A) of rounded operands (C, A, K)."""
    return objective.terms(side.expected, side.output(rounded @ side.fixed.T), side.gradient)


def search_rows(side: Side, ends: tuple[Tensor, Tensor], width: Width, objective: Objective) -> QParams:
    """For each row, or group of inputs in a row, the multiple of its range that suits its share of the output best.

    Args:
        side: The weight's rows (A, K).
        ends: Smallest and largest value of each group, (A, G) each.
        width: Of the codes.
        objective: Compares outputs.
    """
    low, high = ends
    groups = low.shape[1]
    size = side.varied.shape[1] // groups
    fixed = side.fixed.reshape(len(side.fixed), groups, size).permute(1, 2, 0).contiguous()  # (G, g, B)
    factor = torch.empty_like(low)
    numbers = side.varied.shape[1] + groups * len(side.fixed)
    for rows in pieces(len(low), numbers):
        factor[rows] = _best_factors(side.rows(rows), fixed, (low[rows], high[rows]), width, objective)
    return qparams_from_range(low * factor, high * factor, *width, size)


def _best_factors(side: Side, fixed: Tensor, ends: tuple[Tensor, Tensor], width: Width, objective: Objective) -> Tensor:
    """(a, G) of a few rows."""
    rows, (groups, size, outputs) = len(side.varied), fixed.shape
    varied = side.varied.reshape(rows, groups, size)
    if groups == 1:  # one group's share of the output is the output
        expected = side.expected.unsqueeze(0)
    else:
        expected = varied.transpose(0, 1) @ fixed  # (G, a, B)
    losses = []
    for part in pieces(len(FACTORS), rows * (groups * size + groups * outputs)):
        factors = torch.tensor(FACTORS[part]).reshape(-1, 1, 1)
        low, high = ((end * factors).reshape(-1, groups) for end in ends)
        qparams = qparams_from_range(low, high, *width, size)
        shape = (len(factors), rows, groups, 1)
        spread = qparams.scale.reshape(shape), qparams.zero_point.to(torch.float32).reshape(shape)
        got = _round(varied, *spread, width).transpose(1, 2) @ fixed  # (C, G, a, B)
        got = side.output(got) if groups == 1 else got
        losses.append(objective.loss(objective.terms(expected, got, side.gradient)))
    best = torch.cat(losses).argmin(0)  # (G, a)
    return torch.tensor(FACTORS)[best].T


def _round(values: Tensor, scale: Tensor, zero_point: Tensor, width: Width) -> Tensor:
    return levels_of(nearest_codes(values, scale, zero_point, width), scale, zero_point, width)


def pieces(count: int, numbers: int) -> Iterable[slice]:
    """Slices that cover ``count`` things of ``numbers`` numbers each."""
    size = max(1, _NUMBERS // max(1, numbers))
    return (slice(start, min(count, start + size)) for start in range(0, count, size))
