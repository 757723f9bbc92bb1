"""Alternating searches against the same searches written out: one row, one part after the other.

Each output has a gradient of its own, so that a gradient that meets another output chooses other scales. Values are
rounded in float32, as the search does it; everything after that is in float64, where every choice is checked to be
further from the next one than the float32 sums of the search can be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from passes.activation_ranges.single import SingleRange
from passes.calibration import REGISTRY
from passes.calibration.alternate import LayerSearch, search_layer, search_product
from passes.calibration.objective import Objective
from passes.calibration.rows_read import LayerRows
from passes.numbers.affine import activation_qparams, qparams_from_range
from passes.numbers.factors import FACTORS
from passes.numbers.scheme import Granularity, LayerScheme, RowBlock, WeightSpec

INPUTS, WEIGHTS = 8, 6
"""Numbers in a row, rows of the weight."""

BITS = 3
PAPER_ROUNDS = 3
"""Over weights and inputs, or over both operands, see docs/paper.md."""

EPSILON = 2.0**-24
"""Relative error of one float32 operation."""

Scales = tuple[Tensor, Tensor]
"""Scales and zero points of C candidates, (C,) each."""


@dataclass(frozen=True)
class Read:
    """Rows read by one part of a layer, or the left operand of a product, with the gradient of every output."""

    inputs: Tensor  # (S, K)
    gradient: Tensor  # (S, n)


def values(seed: int, *shape: int) -> Tensor:
    """Such that the scales of a first round are not yet the last ones."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(200 + seed)).pow(3)


def hessian() -> Objective:
    found = REGISTRY["hessian"].objective
    assert found is not None
    return found


def rounded(numbers: Tensor, scales: Scales) -> Tensor:
    """(C, *shape) for C candidates."""
    scale, zero_point = (part.reshape(-1, *(1,) * numbers.ndim) for part in scales)
    return ((numbers / scale).round() + zero_point).clamp(0, 2**BITS - 1).sub(zero_point).mul(scale)


def loss(exact: tuple[Tensor, Tensor], got: tuple[Tensor, Tensor], gradient: Tensor) -> Tensor:
    """``sum_s (g_s (x_s w - x'_s w'))**2`` of one row w (K,) and its inputs x (S, K), of each of C roundings.

    A float32 product of K terms is wrong by at most K epsilon times the product of absolute values, so the difference
    by ``slack``; the square, two products and a sum of S terms add a few more roundings.

    Returns:
        (2, C): the loss, and how far float32 can be from it.
    """
    (x, w), (x_got, w_got) = ((a.double(), b.double().unsqueeze(-1)) for a, b in (exact, got))
    apart, weight = (x @ w - x_got @ w_got).abs().squeeze(-1), gradient.double().square()  # (C, S) and (S,)
    sizes = (x.abs() @ w.abs() + x_got.abs() @ w_got.abs()).squeeze(-1)
    slack = EPSILON * (x.shape[1] * sizes + apart)
    value = (weight * apart.square()).sum(-1)
    return torch.stack([value, (weight * (2 * apart * slack + slack**2)).sum(-1) + (len(x) + 4) * EPSILON * value])


def least(losses: Iterable[Tensor], tried: Scales) -> Scales:
    """The candidate with the least sum of losses, which float32 cannot take for one with another scale."""
    value, error = torch.stack(list(losses)).sum(0)
    best = int(value.argmin())
    near = value - error <= value[best] + error[best]
    assert all(len(part[near].unique()) == 1 for part in tried)
    return tried[0][best : best + 1], tried[1][best : best + 1]


def of_weights(rows: Tensor, factors: Sequence[float] = FACTORS) -> Scales:
    low, high = (end * torch.tensor(factors).unsqueeze(1) for end in rows.aminmax())
    found = qparams_from_range(low, high, BITS, False, INPUTS)
    return found.scale.flatten(), found.zero_point.flatten()


def of_activations(operand: Tensor, factors: Sequence[float] = FACTORS) -> Scales:
    low, high = map(float, operand.aminmax())
    found = [activation_qparams(low * factor, high * factor, BITS) for factor in factors]
    return torch.cat([q.scale for q in found]).flatten(), torch.cat([q.zero_point for q in found]).flatten()


def same(found: object, expected: Sequence[Scales]) -> bool:
    """Neighbouring candidates are 1 % apart, or equal after rounding; a float16 scale is at most 0.1 % off."""
    ours = [getattr(found, name).flatten().tolist() for name in ("scale", "zero_point")]
    theirs = [torch.cat(parts).tolist() for parts in zip(*expected, strict=True)]
    return ours[0] == pytest.approx(theirs[0], rel=2e-3) and ours[1] == theirs[1]


def layer_by_hand(
    weight: Tensor, reads: Sequence[Read], sets: Sequence[Sequence[int]], rounds: int
) -> tuple[list[Scales], Scales]:
    """Scales of each set of rows that share one, and of the input."""
    every = torch.cat([read.inputs for read in reads])
    inputs, rows_a_part = of_activations(every, [1.0]), len(weight) // len(reads)
    weights, candidates = list[Scales](), of_activations(every)

    def losses_of(row: int, of_row: Scales, of_inputs: Scales) -> Tensor:
        read = reads[row // rows_a_part]
        got = rounded(read.inputs, of_inputs), rounded(weight[row], of_row)
        return loss((read.inputs, weight[row]), got, read.gradient[:, row % rows_a_part])

    for _ in range(rounds):
        weights = []
        for rows in sets:
            tried = of_weights(weight[rows])
            weights.append(least((losses_of(row, tried, inputs) for row in rows), tried))
        known = [(row, scales) for rows, scales in zip(sets, weights, strict=True) for row in rows]
        inputs = least((losses_of(row, scales, candidates) for row, scales in known), candidates)
    return weights, inputs


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
@pytest.mark.parametrize("parts", [1, 2])
def test_scales_of_a_layer(parts: int, granularity: str) -> None:
    """With two parts, as of a grouped convolution, the second block starts inside the first group."""
    weight, rows_a_part = values(1, WEIGHTS, INPUTS), WEIGHTS // parts
    reads = [Read(values(10 + i, 7, INPUTS), values(20 + i, 7, rows_a_part)) for i in range(parts)]
    cuts = [(0, 2), (2, WEIGHTS)]
    sets = [list(range(*cut)) for cut in cuts] if granularity == "tensor" else [[row] for row in range(WEIGHTS)]
    spec = WeightSpec(BITS, Granularity.parse(granularity))
    scheme = LayerScheme("fc", tuple(RowBlock(*cut, spec) for cut in cuts))
    rows = LayerRows(tuple(r.inputs for r in reads), (), tuple(r.gradient for r in reads))
    ends = torch.cat(rows.inputs).aminmax()
    search = LayerSearch(weight, scheme, rows, REGISTRY["hessian"], SingleRange(*map(float, ends), BITS))

    (first, second), (inputs,) = search_layer(search, hessian())  # type: ignore[misc]
    cut = 1 if granularity == "tensor" else 2
    for rounds, expected in ((PAPER_ROUNDS, True), (1, False)):
        weights, of_inputs = layer_by_hand(weight, reads, sets, rounds)
        agree = same(first, weights[:cut]) and same(second, weights[cut:]) and same(inputs, [of_inputs])
        assert agree == expected, rounds


def product_by_hand(reads: Sequence[Read], others: Sequence[Tensor], rounds: int) -> list[Scales]:
    """Scales of the left and of the right operand."""
    operands = [torch.cat([read.inputs for read in reads]), torch.cat(list(others))]
    lefts, rights = map(of_activations, operands)
    left, right = (of_activations(operand, [1.0]) for operand in operands)

    def losses_of(of_left: Scales, of_right: Scales) -> Iterable[Tensor]:
        for read, other in zip(reads, others, strict=True):
            for column, row in enumerate(other):
                got = rounded(read.inputs, of_left), rounded(row, of_right)
                yield loss((read.inputs, row), got, read.gradient[:, column])

    for _ in range(rounds):
        left = least(losses_of(lefts, right), lefts)
        right = least(losses_of(left, rights), rights)
    return [left, right]


def test_scales_of_a_product() -> None:
    """Square products, whose gradients fit the wrong way round too."""
    reads = [Read(values(30 + i, 5, INPUTS), values(40 + i, 5, 5)) for i in range(2)]
    others = [values(50 + i, 5, INPUTS) for i in range(2)]
    rows = LayerRows(tuple(r.inputs for r in reads), tuple(others), tuple(r.gradient for r in reads))
    left, right = (SingleRange(*map(float, rows.values(i).aminmax()), BITS) for i in (0, 1))
    _, found = search_product(rows, (left, right), hessian())
    assert found is not None
    for rounds, expected in ((PAPER_ROUNDS, True), (1, False)):
        by_hand = product_by_hand(reads, others, rounds)
        assert all(same(f, [q]) for f, q in zip(found, by_hand, strict=True)) == expected, rounds
