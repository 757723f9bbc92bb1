from __future__ import annotations

import pytest
import torch

from passes.numbers.affine import QParams, dequantize, qparams_from_range
from passes.rounding.carry import BLOCK, falling_columns
from passes.rounding.gptq import _solve, gptq
from passes.rounding.rounded import row_errors
from passes.rounding.rtn import rtn
from passes.rounding.scale_search import search_scales

GROUP = 32


def make_layer(rows: int = 48, cols: int = 128) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (rows, cols) and the Gram matrix of inputs that live near a space of a quarter of the dimensions."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(rows, cols, generator=generator)
    hidden = torch.randn(2000, cols // 4, generator=generator) @ torch.randn(cols // 4, cols, generator=generator)
    inputs = hidden + 0.1 * torch.randn(2000, cols, generator=generator)
    return weight, inputs.T @ inputs / len(inputs)


def full_range(weight: torch.Tensor, bits: int, symmetric: bool = False) -> QParams:
    groups = weight.reshape(len(weight), -1, GROUP)
    return qparams_from_range(groups.amin(-1), groups.amax(-1), bits, symmetric, GROUP)


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("symmetric", [False, True])
def test_cuts_the_error_of_rounding_to_nearest_on_correlated_inputs(bits: int, symmetric: bool) -> None:
    weight, gram = make_layer()
    qparams = full_range(weight, bits, symmetric)
    plain, found = rtn(weight, qparams, gram), gptq(weight, qparams, gram)
    before = row_errors(weight, plain.codes, qparams, gram)
    after = row_errors(weight, found.codes, found.qparams, gram)
    assert float(after.sum()) <= 0.7 * float(before.sum())
    assert bool((after <= before).all())


def test_uncorrelated_inputs_round_to_nearest() -> None:
    weight, _ = make_layer()
    qparams = full_range(weight, 4)
    columns = falling_columns(torch.eye(weight.shape[1]))
    assert torch.equal(_solve(weight, qparams, columns), rtn(weight, qparams, None).codes)


@pytest.mark.parametrize("cols", [BLOCK, 3 * BLOCK])
def test_matches_the_textbook_recursion(cols: int) -> None:
    """Without blocks or Cholesky factors: remove one input after the other from the inverse."""
    weight, gram = make_layer(rows=4, cols=cols)
    gram = gram + 0.5 * torch.eye(cols)
    qparams = full_range(weight, 3)
    damped = gram.double() + 0.05 * gram.double().diagonal().mean() * torch.eye(cols, dtype=torch.float64)
    inverse, left = torch.linalg.inv(damped), weight.double().clone()
    expected = torch.zeros(4, cols, dtype=torch.uint8)
    for column in torch.argsort(gram.diagonal(), descending=True).tolist():
        codes = rtn(left.float(), qparams, None).codes
        expected[:, column] = codes[:, column]
        error = left[:, column] - dequantize(codes, qparams)[:, column].double()
        left -= error[:, None] * inverse[column] / inverse[column, column]
        left[:, column] = 0.0
        inverse = inverse - torch.outer(inverse[:, column], inverse[column]) / inverse[column, column]
    assert torch.equal(_solve(weight, qparams, falling_columns(gram)), expected)


def test_dead_inputs_do_no_harm() -> None:
    weight, gram = make_layer()
    gram[:16], gram[:, :16] = 0.0, 0.0
    qparams = full_range(weight, 3)
    found = gptq(weight, qparams, gram)
    assert bool(dequantize(found.codes, found.qparams).isfinite().all())
    assert float(row_errors(weight, found.codes, found.qparams, gram).sum()) < float(
        row_errors(weight, rtn(weight, qparams, None).codes, qparams, gram).sum()
    )


def test_without_inputs_it_is_rounding_to_nearest() -> None:
    weight, _ = make_layer()
    qparams = full_range(weight, 4)
    found = gptq(weight, qparams, None)
    assert found.qparams is qparams
    assert torch.equal(found.codes, rtn(weight, qparams, None).codes)


def test_one_scale_for_all_rows_stays() -> None:
    weight, gram = make_layer()
    qparams = qparams_from_range(weight.amin().view(1, 1), weight.amax().view(1, 1), 4, False, weight.shape[1])
    found = gptq(weight, qparams, gram)
    assert found.qparams is qparams
    assert float(row_errors(weight, found.codes, qparams, gram).sum()) < float(
        row_errors(weight, rtn(weight, qparams, None).codes, qparams, gram).sum()
    )


@pytest.mark.parametrize("bits", range(1, 9))
def test_search_never_raises_the_weighted_error(bits: int) -> None:
    weight, gram = make_layer()
    qparams, importance = full_range(weight, bits), gram.diagonal()

    def cost(chosen: QParams) -> torch.Tensor:
        error = (dequantize(rtn(weight, chosen, None).codes, chosen) - weight).square() * importance
        return error.reshape(len(weight), -1, GROUP).sum(-1)

    assert bool((cost(search_scales(weight, qparams, importance)) <= cost(qparams) * (1 + 1e-5)).all())
