"""What a graph writes into is found through views, and reading is no writing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from passes.graph.written import written


class Written(nn.Module):
    def __init__(self, which: str) -> None:
        super().__init__()
        self.which = which
        self.register_buffer("state", torch.zeros(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        made = x.clone()
        if self.which == "itself":
            made.add_(1)
        elif self.which == "a view of a view":
            made[1:].view(-1)[2:] = 0
        elif self.which == "one of several views":
            made.chunk(2, 1)[1].mul_(3)
        elif self.which == "twice":
            made.add_(1).mul_(2)
        elif self.which == "a buffer":
            self.state.t().copy_(x)
        elif self.which == "an input":
            x[0] = 1
        elif self.which == "an input behind a dropout":
            nn.functional.dropout(x, training=False).add_(1)
        elif self.which == "a copy of another type":
            made = x.to(torch.float64).add_(1).to(torch.float32)
        elif self.which == "a copy of another order":
            made = x.t().contiguous().add_(1)
        return made.t() + self.state


@pytest.mark.parametrize(
    ("which", "names"),
    [
        ("nothing", []),
        *((which, ["clone"]) for which in ("itself", "a view of a view", "one of several views", "twice")),
        ("a buffer", ["state"]),
        ("an input", ["x"]),
        ("an input behind a dropout", ["x"]),
        ("a copy of another type", ["to"]),
        ("a copy of another order", ["contiguous"]),
    ],
)
def test_what_is_written_into(which: str, names: list[str]) -> None:
    exported = torch.export.export(Written(which).eval(), (torch.ones(4, 4),))
    module = exported.module()
    found = [
        str(node.target).rpartition(".")[2] if node.op != "call_function" else node.name
        for node in written(module.graph)
    ]
    assert found == names
