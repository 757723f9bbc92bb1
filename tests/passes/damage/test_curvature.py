"""Curvature: the probe has the covariance of the softmax, and the sums predict divergence."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from passes.damage.curvature import Curvature, CurvatureSum, probe
from passes.errors import QuantizationError


def test_the_probe_has_the_covariance_of_the_softmax() -> None:
    logits = torch.tensor([[1.0, -0.5, 0.2, 2.0]]).expand(40_000, 4)
    v = probe(logits, torch.Generator().manual_seed(0))
    p = logits[0].softmax(-1)
    expected = torch.diag(p) - p.outer(p)
    # Each product of two entries is bounded by 1, so its mean over n probes is off by 5 / sqrt(n) at most, 5 sigma.
    torch.testing.assert_close(v.T @ v / len(v), expected, rtol=0, atol=5 / 40_000**0.5)


def test_expected_divergence_of_a_softmax_layer() -> None:
    """One linear layer in front of a softmax: nothing but the random probe and the second order is approximate."""
    torch.manual_seed(0)
    x, weight = torch.randn(4000, 6), torch.randn(5, 6) * 0.5
    logits = (x @ weight.T).requires_grad_()
    generator, total = torch.Generator().manual_seed(1), CurvatureSum()
    (logits * probe(logits, generator)).sum().backward()
    assert logits.grad is not None
    total.add_product(x, logits.grad)
    curvature = total.mean(len(x), (5, 6))
    assert curvature is not None
    error = torch.randn(5, 6, generator=generator) * 0.01
    expected = 0.5 * (curvature.rows * (error @ curvature.gram * error).sum(-1)).sum()
    before, after = logits.detach().log_softmax(-1), (x @ (weight + error).T).log_softmax(-1)
    measured = F.kl_div(after, before, reduction="batchmean", log_target=True)
    assert float(expected) == pytest.approx(float(measured), rel=0.25)


def test_lookups_are_counted_where_they_happen() -> None:
    total = CurvatureSum()
    total.add_lookup(torch.tensor([[1, 3, 1]]), torch.full((1, 3, 4), 2.0), rows=5)
    curvature = total.mean(2, (5, 4))
    assert curvature is not None and curvature.lookups is not None
    assert curvature.lookups.tolist() == [0, 4, 0, 2, 0]
    assert curvature.objective() is None, "nothing multiplies this table"


def test_the_objective_adds_what_lookups_cost() -> None:
    gram, rows = torch.eye(3) * 2, torch.tensor([1.0, 3.0])
    assert torch.equal(Curvature(gram, rows).objective(), gram)
    both = Curvature(gram, rows, torch.tensor([4.0, 0.0])).objective()
    assert torch.equal(both, gram + torch.eye(3))


def test_a_grouped_product_keeps_the_mean_square() -> None:
    total = CurvatureSum()
    total.add_scale(torch.tensor([[1.0, 3.0]]), torch.ones(1, 7, 2))
    curvature = total.mean(7, (2, 9))
    assert curvature is not None and curvature.gram.shape == (1, 1)
    assert float(curvature.gram) == pytest.approx(5.0)
    assert curvature.objective() is None
    assert curvature.rows.tolist() == [1.0, 1.0]


def test_nothing_seen_and_wrong_shapes() -> None:
    assert CurvatureSum().mean(1, (2, 2)) is None
    with pytest.raises(QuantizationError, match="curvature of shapes"):
        Curvature(torch.ones(2, 3), torch.ones(2))
