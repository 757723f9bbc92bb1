"""RoundFloats: leftovers become float16 values; weights, scalars and the source model do not change."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import nn

from passes.base import Program
from passes.canonical.canonicalize import Canonicalize
from passes.graph.graph_edit import get_tensor
from passes.numbers.quantized_weight import fits_float16
from passes.numbers.row_codes import LEAST, RowCodes, row_codes
from passes.numbers.sinusoids import sinusoids
from passes.rounding.round_floats import RoundFloats, leftovers


def test_leftovers_are_what_no_layer_owns(tiny_program: Program) -> None:
    assert {target for _, target, _ in leftovers(tiny_program)} == {
        "positions",
        "conv.bias",
        "norm.weight",
        "norm.bias",
        "fc.bias",
    }


def test_leftovers_take_float16_values(tiny_program: Program, tiny_model: nn.Module) -> None:
    before = {name: tensor.clone() for name, tensor in tiny_model.state_dict().items()}
    module = tiny_program.graphs["model"]
    positions = get_tensor(module, "positions").detach().clone()
    assert not fits_float16(positions)
    assert RoundFloats()(tiny_program).modified
    assert torch.equal(get_tensor(module, "positions"), positions.half().float())
    assert all(fits_float16(tensor) for _, _, tensor in leftovers(tiny_program))
    assert all(torch.equal(tensor, before[name]) for name, tensor in tiny_model.state_dict().items())
    assert float(get_tensor(module, "scale").detach()) == pytest.approx(0.3, rel=1e-7)
    assert not RoundFloats()(tiny_program).modified


def test_values_beyond_float16_stay_and_are_logged(caplog: pytest.LogCaptureFixture, tiny_program: Program) -> None:
    module = tiny_program.graphs["model"]
    with torch.no_grad():
        get_tensor(module, "fc.bias")[0] = 1e6
    kept = get_tensor(module, "fc.bias").detach().clone()
    with caplog.at_level(logging.WARNING):
        RoundFloats()(tiny_program)
    assert torch.equal(get_tensor(module, "fc.bias"), kept)
    assert "fc.bias stays float32" in caplog.text


def test_graphs_share_the_rounded_tensor() -> None:
    class Shift(nn.Module):
        def __init__(self, bias: nn.Parameter) -> None:
            super().__init__()
            self.bias = bias

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.bias

    bias = nn.Parameter(torch.tensor([0.1, 0.2]))
    exported = [torch.export.export(Shift(bias), (torch.ones(2),)).module(check_guards=False) for _ in range(2)]
    program = Canonicalize()(Program({"a": exported[0], "b": exported[1]})).program
    RoundFloats()(program)
    first, second = (get_tensor(module, "bias") for module in program.graphs.values())
    assert first is second
    assert fits_float16(first)


def test_a_table_of_sinusoids_takes_the_values_of_its_formula() -> None:
    class Place(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(sinusoids(20, 8).half().float(), requires_grad=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.table

    program = Canonicalize()(torch.export.export(Place(), (torch.zeros(20, 8),)).module(check_guards=False)).program
    assert RoundFloats()(program).modified
    assert torch.equal(get_tensor(program.graphs["model"], "table"), sinusoids(20, 8))
    assert not RoundFloats()(program).modified


def test_large_tables_take_codes_of_rows_where_they_may() -> None:
    class Place(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.randn(LEAST // 32, 32, generator=torch.Generator().manual_seed(0)))
            self.bias = nn.Parameter(torch.full((32,), 0.1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.table + self.bias

    model = Place()
    exported = torch.export.export(model, (torch.zeros(LEAST // 32, 32),)).module(check_guards=False)
    program = Canonicalize()(exported).program
    assert RoundFloats(tables=True)(program).modified
    table = get_tensor(program.graphs["model"], "table")
    assert row_codes(table) is not None
    assert torch.equal(table, RowCodes.of(model.table).values())
    assert fits_float16(get_tensor(program.graphs["model"], "bias"))
    assert not RoundFloats(tables=True)(program).modified
