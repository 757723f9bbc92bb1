"""Learned rounding: no row ends above its refined start, many end below, and the same comes out of every run."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.affine import QParams, dequantize, qparams_from_range, quantize
from passes.rounding.gptq import damped
from passes.rounding.learned import learned
from passes.rounding.refine import refined
from passes.rounding.rounded import Rounded
from passes.scale_grid import grid_indices

GROUP = 32


def make_layer(rows: int = 24, cols: int = 128, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (rows, cols) and the Gram matrix of inputs that live near a space of a quarter of the dimensions."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, cols, generator=generator)
    hidden = torch.randn(500, cols // 4, generator=generator) @ torch.randn(cols // 4, cols, generator=generator)
    inputs = hidden + 0.1 * torch.randn(500, cols, generator=generator)
    return weight, inputs.T @ inputs / len(inputs)


def full_range(weight: torch.Tensor, bits: int, symmetric: bool = False, group: int = GROUP) -> QParams:
    groups = weight.reshape(len(weight), -1, group)
    return qparams_from_range(groups.amin(-1), groups.amax(-1), bits, symmetric, group)


def objective(weight: torch.Tensor, rounded: Rounded, gram: torch.Tensor) -> torch.Tensor:
    error = (dequantize(rounded.codes, rounded.qparams) - weight).double()
    return ((error @ damped(gram)) * error).sum(-1)


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("symmetric", [False, True])
def test_lowers_the_objective_of_the_refined_codes(bits: int, symmetric: bool) -> None:
    weight, gram = make_layer()
    qparams = full_range(weight, bits, symmetric)
    start, found = (method(weight, qparams, gram) for method in (refined, learned))
    before, after = (objective(weight, rounded, gram) for rounded in (start, found))
    assert bool((after <= before * (1 + 1e-4)).all())
    assert float(after.sum()) < (0.99 if bits < 8 else 1 + 1e-4) * float(before.sum())
    assert int(found.codes.max()) < 2**bits
    assert bits == 1 or grid_indices(found.qparams.scale) is not None


@settings(max_examples=25, deadline=None)
@given(bits=st.integers(1, 8), seed=st.integers(0, 1 << 16), zeros=st.integers(0, 8))
def test_a_row_that_is_no_better_keeps_its_start_and_counts(bits: int, seed: int, zeros: int) -> None:
    """Rows of zeros among them, which decode to 0 and have nothing to learn."""
    weight, gram = make_layer(8, 64, seed)
    weight[:zeros] = 0
    qparams = full_range(weight, bits)
    start, found = (method(weight, qparams, gram) for method in (refined, learned))
    before, after = (dequantize(rounded.codes, rounded.qparams) for rounded in (start, found))
    kept = int((before == after).all(-1).sum())
    assert zeros <= found.fallbacks <= kept


def test_twice_the_same() -> None:
    weight, gram = make_layer()
    qparams = full_range(weight, 3)
    first, second = (learned(weight, qparams, gram) for _ in range(2))
    assert torch.equal(first.codes, second.codes) and torch.equal(first.qparams.scale, second.qparams.scale)


def test_learns_where_gradients_are_off() -> None:
    weight, gram = make_layer()
    qparams = full_range(weight, 3)
    with torch.no_grad():
        quiet = learned(weight, qparams, gram)
    assert torch.equal(quiet.codes, learned(weight, qparams, gram).codes)


def test_one_scale_for_all_rows_stays() -> None:
    weight, gram = make_layer(rows=1100, cols=32)
    qparams = qparams_from_range(weight.amin().view(1, 1), weight.amax().view(1, 1), 4, False, 32)
    start, found = (method(weight, qparams, gram) for method in (refined, learned))
    assert found.qparams is qparams
    assert float(objective(weight, found, gram).sum()) < float(objective(weight, start, gram).sum())


def test_without_a_gram_matrix_or_above_eight_bits_rounds_to_nearest() -> None:
    weight, gram = make_layer()
    qparams, wide = full_range(weight, 3), full_range(weight, 12)
    assert torch.equal(learned(weight, qparams, None).codes, quantize(weight, qparams))
    assert torch.equal(learned(weight, wide, gram).codes, quantize(weight, wide))
