"""Programs are traced once more only where there is something to decompose."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from myqasr_fx.export.decomposed import Decomposed


class Views(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.transpose(0, 1).contiguous()).reshape(-1, 4)


class Casts(Views):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * x[:1, :1, :1].to(torch.float64).to(torch.float32)


class Writes(Views):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + 1).add_(2.0)


class Norms(Views):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(super().forward(x))


@pytest.mark.parametrize(("make", "stays"), [(Views, True), (Casts, False), (Writes, False), (Norms, False)])
def test_what_has_to_be_decomposed_is(make: type[nn.Module], stays: bool) -> None:
    torch.manual_seed(0)
    network, x = make().eval(), torch.randn(3, 5, 8)
    with torch.no_grad():
        program = Decomposed(torch.export.export(network, (x,)))
        assert (program.run_decompositions({}) is program) is stays
        assert program.run_decompositions() is not program
        model = torch.onnx.export(program, dynamo=True, verbose=False)
        assert model is not None
        session = onnxruntime.InferenceSession(
            model.model_proto.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        (got,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        np.testing.assert_allclose(got, network(x).numpy(), atol=1e-5)
