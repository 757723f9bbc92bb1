"""PairedMoments: the shifted weight is the least-squares answer, and rounding it beats rounding the weight itself."""

from __future__ import annotations

import pytest
import torch

from passes.numbers.affine import dequantize, qparams_from_range
from passes.observe.paired_moments import PairedMoments
from passes.rounding.carry import falling_columns
from passes.rounding.gptq import gptq


def make_pair(frames: int = 800) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Weights (32, 64), inputs (2, frames / 2, 64) of both models, and frame weights."""
    generator = torch.Generator().manual_seed(0)
    weight, mix = torch.randn(32, 64, generator=generator), torch.randn(64, 64, generator=generator)
    exact = torch.randn(2, frames // 2, 64, generator=generator) @ mix
    drift = 0.1 * torch.randn(64, 64, generator=generator)
    rounded = exact + exact @ drift + 0.3 * torch.randn(exact.shape, generator=generator)
    return weight, exact, rounded, 0.5 + torch.rand(2, frames // 2, generator=generator)


def output_error(pair: tuple[torch.Tensor, torch.Tensor, torch.Tensor], weight: torch.Tensor, q: torch.Tensor) -> float:
    exact, rounded, weights = pair
    return float((weights.unsqueeze(-1) * (exact @ weight.T - rounded @ q.T).square()).sum() / weights.sum())


def test_the_shifted_weight_gives_the_outputs_of_full_precision() -> None:
    weight, exact, rounded, weights = make_pair()
    moments = PairedMoments(64)
    for x, seen, w in zip(exact, rounded, weights, strict=True):
        moments.add(x, seen, w)
    root = weights.sqrt().reshape(-1, 1)
    best = torch.linalg.lstsq(rounded.reshape(-1, 64) * root, exact.reshape(-1, 64) @ weight.T * root).solution.T
    pair = (exact, rounded, weights)
    plain, shifted, least = (output_error(pair, weight, q) for q in (weight, moments.target(weight)[0], best))
    assert least <= shifted < least + 0.3 * (plain - least)
    torch.testing.assert_close(
        moments.target(weight)[1],
        (rounded * weights.unsqueeze(-1)).reshape(-1, 64).T @ rounded.reshape(-1, 64) / weights.sum(),
    )


def test_a_row_shifts_alike_in_a_tall_layer_and_in_a_flat_one() -> None:
    weight, exact, rounded, weights = make_pair()
    moments = PairedMoments(64)
    moments.add(exact, rounded, weights)
    tall = moments.target(torch.cat([weight, weight, weight]))[0]  # 96 rows of 64 inputs; one third of them is flat
    torch.testing.assert_close(moments.target(weight)[0], tall[:32], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(tall[:32], weight, atol=1e-2)


@pytest.mark.parametrize("centred", [False, True])
def test_moments_of_one_layer_shift_its_weight_alike(centred: bool) -> None:
    weight, exact, rounded, weights = make_pair()
    exact, rounded = exact + 3.0, rounded + 2.5
    shared, own = PairedMoments(64, centred=centred), PairedMoments(64, centred=centred, weight=weight[:8])
    for x, seen, w in zip(exact, rounded, weights, strict=True):
        shared.add(x, seen, w)
        own.add(x, seen, w)
    (found, gram), (expected, other) = own.target(weight[:8]), shared.target(weight[:8])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(gram, other) and own.frames == shared.frames
    assert torch.equal(own.mean_error(weight[:8], found), shared.mean_error(weight[:8], found))
    assert not torch.allclose(found, weight[:8], atol=1e-2)


def test_rounding_it_beats_rounding_the_weight() -> None:
    weight, exact, rounded, weights = make_pair()
    moments = PairedMoments(64)
    moments.add(exact, rounded, weights)
    errors = []
    for target in (weight, moments.target(weight)[0]):
        groups = target.reshape(32, -1, 32)
        found = gptq(
            target, qparams_from_range(groups.amin(-1), groups.amax(-1), 3, False, 32), moments.target(weight)[1]
        )
        errors.append(output_error((exact, rounded, weights), weight, dequantize(found.codes, found.qparams)))
    assert errors[1] < 0.9 * errors[0]


def test_equal_inputs_and_no_inputs_shift_nothing() -> None:
    weight, exact, _, weights = make_pair()
    moments = PairedMoments(64)
    assert torch.equal(moments.target(weight)[0], weight)
    moments.add(exact, exact, weights)
    torch.testing.assert_close(moments.target(weight.reshape(32, 16, 4))[0], weight.reshape(32, 16, 4))


def test_inputs_that_hardly_differ_shift_little_and_can_be_factored() -> None:
    weight, exact, _, weights = make_pair()
    moments = PairedMoments(64, centred=True)
    seen = 3.0 + 1e-7 * exact
    moments.add(seen, seen, weights)
    torch.testing.assert_close(moments.target(weight)[0], weight)
    assert torch.isfinite(falling_columns(moments.target(weight)[1]).factor).all()


def test_a_bias_takes_up_the_mean_error() -> None:
    weight, exact, rounded, weights = make_pair()
    exact, rounded = exact + 3.0, rounded + 2.5
    moments = PairedMoments(64, centred=True)
    moments.add(exact, rounded, weights)
    found = moments.target(weight)[0]
    bias = moments.mean_error(weight, found)
    error = weights.unsqueeze(-1) * (exact @ weight.T - rounded @ found.T - bias)
    torch.testing.assert_close(error.sum((0, 1)) / weights.sum(), torch.zeros(32), rtol=0, atol=1e-3)
    centred = rounded - (weights.unsqueeze(-1) * rounded).sum((0, 1)) / weights.sum()
    scaled = (centred * weights.sqrt().unsqueeze(-1)).reshape(-1, 64)
    torch.testing.assert_close(moments.target(weight)[1], scaled.T @ scaled / weights.sum(), rtol=1e-3, atol=1e-2)


def test_a_layer_with_a_bias_shares_the_sums_of_one_without() -> None:
    weight, exact, rounded, weights = make_pair()
    shared, own = PairedMoments(64), PairedMoments(64, centred=True)
    for moments in (shared, own):
        moments.add(exact + 3.0, rounded + 2.5, weights)
    plain = shared.target(weight)[0]
    assert torch.equal(shared.as_centred(True).target(weight)[0], own.target(weight)[0])
    assert torch.equal(shared.target(weight)[0], plain) and not torch.equal(plain, own.target(weight)[0])
