"""find_pairs: layers between which channels may move, and the near misses."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from passes.base import Program
from passes.canonicalize import Canonicalize
from passes.channel_pairs import find_pairs, replace_channels
from passes.decompose_attention import DecomposeAttention
from passes.manager import PassManager

HEADS, WIDTH = 2, 16


class Attention(nn.Module):
    """Layers ``q``, ``k``, ``v``, ``out`` of 32 channels in two heads; ``mode`` names what differs."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode
        for name in ("q", "k", "v", "out"):
            setattr(self, name, nn.Linear(HEADS * WIDTH, HEADS * WIDTH))

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """(B, H, T, d)."""
        return x.reshape(*x.shape[:2], HEADS, WIDTH).transpose(1, 2)

    def forward(self, x: torch.Tensor, past_keys: torch.Tensor, past: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What attention gives, and the values where they are a result."""
        v = nn.functional.linear(x, self.q.weight) if self.mode == "shared" else self.v(x)
        if self.mode == "another reader":
            x = x + v
        values = self.split(v)
        if self.mode in ("cache", "past read twice"):
            values = torch.cat([past, values], 2)
        keys = torch.cat([past if self.mode == "past read twice" else past_keys, self.split(self.k(x))], 2)
        keys = keys[:, :, -values.shape[2] :]
        mask = torch.ones(x.shape[1], values.shape[2], dtype=torch.bool).tril(values.shape[2] - x.shape[1])
        found = nn.functional.scaled_dot_product_attention(self.split(self.q(x)), keys, values, mask)
        found = found.transpose(1, 2)
        if self.mode == "order of heads":
            found = found.transpose(2, 3)
        found = found.reshape(*x.shape)
        if self.mode == "added":
            found = found + x
        return (self.out(found), values) if self.mode in ("cache", "past read twice", "result") else (self.out(found),)


class Hidden(nn.Module):
    """Layers ``fc1`` and ``fc2`` with a function between."""

    def __init__(self, function: nn.Module) -> None:
        super().__init__()
        self.fc1, self.function, self.fc2 = nn.Linear(32, 64), function, nn.Linear(64, 32, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, 32) of the same."""
        return self.fc2(self.function(self.fc1(x)))


def attention(mode: str, *, decompose: bool = False) -> tuple[Program, tuple[torch.Tensor, ...]]:
    torch.manual_seed(0)
    inputs = (torch.randn(2, 5, HEADS * WIDTH), *torch.randn(2, 2, HEADS, 3, WIDTH))
    program = Program.of(torch.export.export(Attention(mode).eval(), inputs).module(check_guards=False))
    PassManager((Canonicalize(), DecomposeAttention()) if decompose else (Canonicalize(),))(program)
    return program, inputs


def hidden(function: nn.Module) -> tuple[Program, tuple[torch.Tensor, ...]]:
    torch.manual_seed(0)
    inputs = (torch.randn(2, 5, 32),)
    program = Program.of(torch.export.export(Hidden(function).eval(), inputs).module(check_guards=False))
    PassManager((Canonicalize(),))(program)
    return program, inputs


@pytest.mark.parametrize("decompose", [False, True])
@pytest.mark.parametrize("mode", ["plain", "cache"])
def test_values_and_their_reader(mode: str, decompose: bool) -> None:
    program, _ = attention(mode, decompose=decompose)
    (pair,) = find_pairs(program)
    assert pair.layers == ("v", "out")
    assert (pair.heads, pair.homogeneous) == (HEADS, True)
    assert (pair.rows, pair.columns) == (("v.weight", "v.bias"), "out.weight")


@pytest.mark.parametrize("mode", ["another reader", "shared", "result", "past read twice", "order of heads", "added"])
@pytest.mark.parametrize("decompose", [False, True])
def test_near_misses(mode: str, decompose: bool) -> None:
    program, _ = attention(mode, decompose=decompose)
    assert not list(find_pairs(program))


@pytest.mark.parametrize(
    ("function", "homogeneous"), [(nn.GELU(), False), (nn.SiLU(), False), (nn.ReLU(), True), (nn.Dropout(), True)]
)
def test_a_function_between(function: nn.Module, homogeneous: bool) -> None:
    program, _ = hidden(function)
    (pair,) = find_pairs(program)
    assert (pair.layers, pair.heads, pair.homogeneous) == (("fc1", "fc2"), 1, homogeneous)


@pytest.mark.parametrize("function", [nn.Softmax(-1), nn.LayerNorm(64), nn.GLU()])
def test_a_function_that_mixes_channels(function: nn.Module) -> None:
    if isinstance(function, nn.GLU):
        function = nn.Sequential(function, nn.Linear(32, 64))
    program, _ = hidden(function)
    assert "fc1" not in {pair.layers[0] for pair in find_pairs(program)}


@pytest.mark.parametrize("kind", ["factor", "order"])
@pytest.mark.parametrize("mode", ["plain", "cache"])
def test_what_is_done_to_rows_is_undone_in_columns(mode: str, kind: str) -> None:
    program, (x, past_keys, past) = attention(mode, decompose=True)
    (pair,) = find_pairs(program)
    kept, module = program.clone().graphs["model"], program.graphs["model"]
    with torch.no_grad():
        expected = kept(x, past_keys, past)
    if kind == "factor":
        factor = torch.logspace(-1, 1, HEADS * WIDTH)
        replace_channels(program, pair, 1 / factor, factor)
        scale = factor.reshape(HEADS, 1, WIDTH)
        changed = [value / scale for value in (past, *expected[1:])]
    else:
        inside = torch.stack([torch.randperm(WIDTH) for _ in range(HEADS)])
        order = (inside + WIDTH * torch.arange(HEADS).unsqueeze(-1)).reshape(-1)
        replace_channels(program, pair, order, order)
        places = inside.unsqueeze(1)
        changed = [v.gather(-1, places.expand(v.shape[0], -1, v.shape[2], -1)) for v in (past, *expected[1:])]
    with torch.no_grad():
        found = module(x, past_keys, changed[0])  # a client hands back what it was given
        torch.testing.assert_close(found, (expected[0], *changed[1:]))
        torch.testing.assert_close(kept(x, past_keys, past), expected)
