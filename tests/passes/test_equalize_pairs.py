"""EqualizePairs: values and what a ReLU gives; the function stays, and the expectation that chose the factors falls."""

from __future__ import annotations

import torch
from torch import nn

from passes.base import Program
from passes.canonicalize import Canonicalize
from passes.channel_factors import equalized_gram
from passes.decompose_attention import DecomposeAttention
from passes.equalize_pairs import EqualizePairs, pair_factors
from passes.graph_edit import get_tensor
from passes.manager import PassManager
from passes.scheme import Granularity, WeightSpec

SPEC = WeightSpec(4, Granularity("group", 32))


class Block(nn.Module):
    """Attention ``v``, ``out`` of two heads, then ``fc1``, ReLU, ``fc2``, then ``fc3``, GELU, ``fc4``."""

    def __init__(self) -> None:
        super().__init__()
        self.v, self.out = nn.Linear(64, 64), nn.Linear(64, 64)
        for i in range(1, 5):
            setattr(self, f"fc{i}", nn.Linear(64, 64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, 64) of the same."""
        heads = x.reshape(*x.shape[:2], 2, 32).transpose(1, 2)
        values = self.v(x).reshape(*x.shape[:2], 2, 32).transpose(1, 2)
        found = nn.functional.scaled_dot_product_attention(heads, heads, values)
        x = x + self.out(found.transpose(1, 2).reshape(x.shape))
        x = x + self.fc2(self.fc1(x).relu())
        return x + self.fc4(nn.functional.gelu(self.fc3(x)))


def make_program() -> tuple[Program, torch.Tensor]:
    """The block, some of whose values are much larger, and inputs (2, 10, 64)."""
    torch.manual_seed(0)
    block, x = Block().eval(), torch.randn(2, 10, 64)
    with torch.no_grad():
        for writer in (block.v, block.fc1):
            writer.weight.mul_(torch.logspace(-1, 1, 64).unsqueeze(-1))
    program = Program.of(torch.export.export(block, (x,)).module(check_guards=False))
    PassManager((Canonicalize(), DecomposeAttention()))(program)
    return program, x


def grams() -> dict[str, torch.Tensor]:
    inputs = torch.randn(500, 64, generator=torch.Generator().manual_seed(0)) * torch.logspace(-1, 1, 64)
    return dict.fromkeys(("out", "fc2", "fc4"), inputs.T @ inputs / len(inputs))


def test_the_function_stays_and_the_expectation_falls() -> None:
    program, x = make_program()
    module, before = program.graphs["model"], grams()
    factors = pair_factors(program, before, SPEC)
    assert set(factors) == {"out", "fc2"}
    kept = program.clone().graphs["model"]
    with torch.no_grad():
        expected = kept(x)
    assert EqualizePairs(factors)(program).modified
    with torch.no_grad():
        torch.testing.assert_close(module(x), expected)
        torch.testing.assert_close(kept(x), expected)
    for writer, reader in (("v", "out"), ("fc1", "fc2")):
        old, new = (get_tensor(m, f"{writer}.bias") for m in (kept, module))
        torch.testing.assert_close(new, old / factors[reader])
    again = pair_factors(program, {n: equalized_gram(before[n], f) for n, f in factors.items()}, SPEC)
    for name, factor in again.items():
        assert float(factor.log().abs().mean()) < float(factors[name].log().abs().mean())


def test_a_gelu_hands_no_factor_on() -> None:
    program, _ = make_program()
    assert not EqualizePairs({"fc4": torch.full((64,), 2.0)})(program).modified


def test_without_gram_matrices_factors_or_scales_of_rows_nothing_changes() -> None:
    program, _ = make_program()
    assert not pair_factors(program, {}, SPEC)
    assert not pair_factors(program, grams(), WeightSpec(4, Granularity("tensor")))
    assert not EqualizePairs()(program).modified
