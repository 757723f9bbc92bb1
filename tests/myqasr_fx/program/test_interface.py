"""Interfaces read off exported programs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.export import Dim

from myqasr_fx.capture.signature import DynamicDim
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
