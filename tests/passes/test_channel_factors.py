"""best_factor: the expectation that chooses it falls, and nothing is found where nothing is to be won."""

from __future__ import annotations

import torch

from passes.channel_factors import best_factor, equalized_gram
from passes.curvature import Curvature
from passes.damage import expected_damage, input_weights
from passes.scheme import Granularity, WeightSpec

SPEC = WeightSpec(4, Granularity("group", 32))


def expected(weight: torch.Tensor, gram: torch.Tensor) -> float:
    curvature = Curvature(gram, torch.ones(len(weight)))
    return float(expected_damage(weight, curvature, input_weights(curvature, len(gram), compensated=True), SPEC).sum())


def test_channels_that_matter_get_finer_steps() -> None:
    torch.manual_seed(0)
    weight, spread = torch.randn(48, 64), torch.logspace(-1, 1, 64)
    inputs = torch.randn(500, 64) * spread
    gram = inputs.T @ inputs / len(inputs)
    factor = best_factor([(weight, gram)], SPEC)
    assert factor is not None and bool((factor > 0).all())
    torch.testing.assert_close(factor.log().mean(), torch.tensor(0.0), atol=1e-6, rtol=0)
    assert float(torch.corrcoef(torch.stack([factor.log(), spread.log()]))[0, 1]) > 0.9
    assert expected(weight * factor, equalized_gram(gram, factor)) < expected(weight, gram)


def test_equal_channels_stay() -> None:
    torch.manual_seed(0)
    assert best_factor([(torch.randn(48, 64), torch.eye(64))], SPEC) is None


def test_the_new_gram_is_of_the_new_inputs() -> None:
    inputs, factor = torch.randn(20, 8), torch.rand(8) + 0.5
    changed = inputs / factor
    torch.testing.assert_close(equalized_gram(inputs.T @ inputs, factor), changed.T @ changed)
