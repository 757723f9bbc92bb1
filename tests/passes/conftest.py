"""A small model with every kind of layer: embedding tied to the output, conv1d, linear, a product of activations."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import nn

from passes.base import Program
from passes.calibration.calibrate import Calibrate
from passes.canonical.canonicalize import Canonicalize
from passes.graph import meta
from passes.graph.layers import find_layers, nodes_of
from passes.numbers.scheme import TRELLIS_BITS, LayerScheme, RowBlock, WeightSpec
from passes.observe.activation_stats import Statistics
from passes.observe.insert_observers import InsertObservers, read_statistics
from passes.observe.remove_observers import RemoveObservers
from passes.rounding.round_weights import RoundWeights
from passes.rounding.trellis_table import gaussian_table

Rounded = Callable[..., Program]


class TinyModel(nn.Module):
    """Layers ``embed`` (tied, 48 rows of 32), ``conv`` (32, 32, 3), ``fc`` (64, 32), ``attn.qk_matmul``."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(48, 32)
        self.conv = nn.Conv1d(32, 32, 3, padding=1)
        self.norm = nn.LayerNorm(32)
        self.fc = nn.Linear(32, 64)
        self.scale = nn.Parameter(torch.tensor(0.3))
        self.positions = nn.Parameter(torch.randn(6, 32))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits (B, 6, 48) of tokens (B, 6)."""
        x = self.embed(tokens) + self.positions  # (B, 6, 32)
        x = self.norm(self.conv(x.transpose(1, 2)).transpose(1, 2))
        query, key = self.fc(x).chunk(2, -1)
        x = torch.matmul(query, key.transpose(1, 2)).softmax(-1) @ x * self.scale
        return nn.functional.linear(x, self.embed.weight)


def tokens(seed: int = 0) -> torch.Tensor:
    """Tokens (2, 6)."""
    return torch.randint(0, 48, (2, 6), generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def tiny_model() -> TinyModel:
    """The model itself, the same weights every time."""
    torch.manual_seed(0)
    return TinyModel().eval()


@pytest.fixture
def tiny_program(tiny_model: TinyModel) -> Program:
    """The canonical program of ``tiny_model``."""
    exported = torch.export.export(tiny_model, (tokens(),))
    return Canonicalize()(exported.module(check_guards=False)).program


@pytest.fixture
def tiny_statistics(tiny_program: Program) -> Statistics:
    """What the layers of ``tiny_program`` see on a few tokens."""
    return observe(tiny_program)


def observe(program: Program) -> Statistics:
    """What the layers of ``program`` see on a few tokens."""
    InsertObservers()(program)
    for seed in range(3):
        program.graphs["model"](tokens(seed))
    statistics = read_statistics(program)
    RemoveObservers()(program)
    return statistics


@pytest.fixture(scope="session")
def rounded() -> Rounded:
    """Rounds a copy of ``tiny_program``: each layer in blocks of equal rows, one a spec; its inputs if asked."""
    torch.manual_seed(0)
    exported = torch.export.export(TinyModel().eval(), (tokens(),))
    base = Canonicalize()(exported.module(check_guards=False)).program
    statistics = observe(base)

    def make(*specs: WeightSpec, activation_bits: int | None = None, dynamic: frozenset[str] = frozenset()) -> Program:
        program = base.clone()
        for layer in find_layers(program):
            if layer.weight is None:
                continue
            edges = [round(layer.rows * i / len(specs)) for i in range(len(specs) + 1)]
            blocks = tuple(RowBlock(*rows, spec) for rows, spec in zip(pairwise(edges), specs, strict=True))
            for _, node in nodes_of(program, layer):
                meta.put(node, meta.SCHEME, LayerScheme(layer.name, blocks))
        Calibrate("min_max", activation_bits, statistics=statistics, dynamic=dynamic)(program)
        RoundWeights(tables={bits: gaussian_table() for bits in TRELLIS_BITS})(program)
        return program

    return make
