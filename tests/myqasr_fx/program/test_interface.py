"""Interfaces read off exported programs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from myqasr_fx.capture.signature import DynamicDim
from myqasr_fx.errors import ProgramInputError
from myqasr_fx.program.interface import interface_of


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: Tensor, others: tuple[Tensor, dict[str, Tensor]]) -> tuple[Tensor, None, Tensor]:
        scale, more = others
        return self.linear(x) * scale, None, torch.cat([x.reshape(-1), more["rest"]])


def test_names_sizes_and_nested_inputs() -> None:
    batch, rest = Dim("batch", min=1, max=32), Dim("rest")
    args = (torch.zeros(5, 4), (torch.zeros(3), {"rest": torch.zeros(7)}))
    shapes = ({0: batch}, (None, {"rest": {0: rest}}))
    with torch.no_grad():
        found = interface_of(torch.export.export(Pair().eval(), args, dynamic_shapes=shapes))
    signature = found.signature
    assert signature.input_names == ("x", "others_0", "others_1_rest")
    assert [spec.dims for spec in signature.inputs] == [("x_0", 4), (3,), ("others_1_rest_0",)]
    assert signature.dims["x_0"] == DynamicDim(5, 1, 32)
    assert signature.output_names == ("output_0", "output_1")
    assert signature.outputs[0].dims == ("x_0", 3)
    assert [sorted(str(dim).split(" + ")) for dim in signature.outputs[1].dims] == [["4*x_0", "others_1_rest_0"]]
    flat = found.flat(args, 0)
    assert [tuple(value.shape) for value in flat] == [(5, 4), (3,), (7,)]


def test_a_mapping_is_read_by_name() -> None:
    batch = {"others": (torch.ones(3), {"rest": 2 * torch.ones(7)}), "x": torch.zeros(5, 4)}
    found = interface_of(torch.export.export(Pair().eval(), (batch["x"], batch["others"])))
    assert [float(value.mean()) for value in found.flat(batch, 0)] == [0, 1, 2]
    flat = {name: batch["x"] for name in found.signature.input_names}
    with pytest.raises(ProgramInputError, match=r"batch 0: others_0 is float32 \(5, 4\)"):
        found.flat(flat, 0)
    for wrong in ({"x": batch["x"], "other": batch["others"]}, {**batch, "others": (torch.ones(3), {})}):
        with pytest.raises(ProgramInputError, match=r"batch 3: got .*, expected x, others: .*name inputs as"):
            found.flat(wrong, 3)


class Inputs(nn.Module):
    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return inputs["a"] - inputs["b"]


def test_a_program_that_takes_a_mapping_takes_its_keys_in_any_order() -> None:
    a, b = torch.ones(2), torch.zeros(2)
    found = interface_of(torch.export.export(Inputs(), ({"a": a, "b": b},)))
    for batch in ({"b": b, "a": a}, {"inputs": {"b": b, "a": a}}, {"inputs_b": b, "inputs_a": a}):
        assert [float(value.mean()) for value in found.flat(batch, 0)] == [1, 0]


def test_a_wrong_name_is_told_of_a_program_with_one_tensor() -> None:
    found = interface_of(torch.export.export(nn.Linear(4, 3).eval(), (torch.zeros(2, 4),)))
    assert len(found.flat({"input": torch.ones(2, 4)}, 0)) == 1
    with pytest.raises(ProgramInputError, match="batch 0: got x, expected input: no argument 'x'"):
        found.flat({"x": torch.ones(2, 4)}, 0)


class Rows(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], 320)


def test_what_auto_leaves_fixed_is_a_number() -> None:
    shapes = ({0: Dim.AUTO, 1: Dim.AUTO},)
    found = interface_of(torch.export.export(Rows(), (torch.zeros(4, 10, 32),), dynamic_shapes=shapes))
    assert [spec.dims for spec in found.signature.inputs] == [("x_0", 10, 32)]
