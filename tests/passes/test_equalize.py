"""Equalize: the function stays, weights change, and the expectation that chose the factors falls."""

from __future__ import annotations

import torch
from torch import nn

from passes.base import Program
from passes.canonicalize import Canonicalize
from passes.channel_factors import equalized_gram
from passes.equalize import Equalize, find_norms, norm_factors
from passes.graph_edit import get_tensor
from passes.manager import PassManager
from passes.scheme import WeightSpec


class Block(nn.Module):
    """Norms ``a``, whose result two linear layers read, and ``b``, whose result is added as well."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.LayerNorm(64), nn.LayerNorm(64)
        self.query, self.key, self.out = nn.Linear(64, 64), nn.Linear(64, 64, bias=False), nn.Linear(64, 64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, 64) of the same."""
        n = self.a(x)
        x = x + self.query(n) * self.key(n)
        n = self.b(x)
        return n + self.out(n)


def make_program() -> tuple[Program, torch.Tensor]:
    """The block, and inputs (2, 10, 64) some of whose channels are much larger after the norm."""
    torch.manual_seed(0)
    block, x = Block().eval(), torch.randn(2, 10, 64)
    with torch.no_grad():
        block.a.weight.copy_(torch.logspace(-1, 1, 64))
    program = Program.of(torch.export.export(block, (x,)).module())
    PassManager((Canonicalize(),))(program)
    return program, x


def test_only_norms_that_linear_layers_alone_read() -> None:
    program, _ = make_program()
    (norm,) = find_norms(program)
    assert set(norm.layers) == {"query", "key"}


def test_the_function_stays_and_the_expectation_falls() -> None:
    program, x = make_program()
    module, spec = program.graphs["model"], WeightSpec(4)
    normed = nn.functional.layer_norm(x, (64,)).reshape(-1, 64) * get_tensor(module, "a.weight").detach()
    gram = normed.T @ normed / len(normed)
    factors = norm_factors(program, {"query": gram, "key": gram}, spec)
    assert set(factors) == {"query", "key"} and torch.equal(factors["query"], factors["key"])
    kept = program.clone()
    with torch.no_grad():
        expected = module(x)
    assert Equalize(factors)(program).modified
    assert not torch.equal(get_tensor(module, "query.weight"), get_tensor(kept.graphs["model"], "query.weight"))
    with torch.no_grad():
        torch.testing.assert_close(module(x), expected)
        torch.testing.assert_close(kept.graphs["model"](x), expected)
    after = equalized_gram(gram, factors["query"])
    again = norm_factors(program, {"query": after, "key": after}, spec)
    assert not again or float((again["query"].log().abs()).mean()) < float(factors["query"].log().abs().mean())


def test_without_gram_matrices_or_factors_nothing_changes() -> None:
    program, _ = make_program()
    assert not norm_factors(program, {}, WeightSpec(4))
    assert not Equalize()(program).modified
