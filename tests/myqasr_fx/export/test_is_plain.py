"""Graphs are translated as they stand only where there is nothing to decompose and no type to promote."""

from __future__ import annotations

import operator
from collections.abc import Callable

import onnx_ir as ir
import onnxruntime
import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from myqasr_fx.capture.export import capture_graph
from myqasr_fx.capture.signature import DynamicDim, GraphSignature, TensorSpec
from myqasr_fx.export.as_program import as_program
from myqasr_fx.export.is_plain import is_decomposed, is_promoted
from myqasr_fx.export.to_onnx import _operators, _registry, to_onnx
from myqasr_fx.models.prepared import prepare
from myqasr_fx.models.speech_model import SpeechModel

OPSET = 21
SIGNATURE = GraphSignature(
    (TensorSpec("x", ("batch", 5, 8)),), (TensorSpec("y", ("batch", 5, 8)),), {"batch": DynamicDim(3)}
)


class Reads(nn.Module):
    def __init__(self, read: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.linear, self.read = nn.Linear(8, 8), read

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.linear(x))


def _counts(x: Tensor) -> Tensor:
    return torch.arange(x.shape[0]).reshape(-1, 1, 1)


PLAIN = {
    "views": lambda x: x.transpose(1, 2).contiguous().reshape(-1, 5, 8),
    "comparison": lambda x: torch.where(x > 0.5, x, 0.0),
    "integers": lambda x: torch.where((_counts(x) + 1) * 2 > 3, x, -x),
}
REWRITTEN = {
    "explicit": lambda x: x * _counts(x).to(torch.float32),
    "casts": lambda x: x * x[:1, :1, :1].to(torch.float64).to(torch.float32),
    "writes": lambda x: (x + 1).add_(2.0),
    "two types": lambda x: x * _counts(x),
    "float of integers": lambda x: x * (_counts(x) * 0.5),
    "integer against float": lambda x: torch.where(_counts(x) > 0.5, x, -x),
    "quotient": lambda x: x * (_counts(x) / 2),
    "choice of two types": lambda x: torch.where(x > 0.5, x, _counts(x)),
    "norm of batches": lambda x: F.batch_norm(x, torch.zeros(5), torch.ones(5)),
    "sum of truths": lambda x: x * (x > 0).sum(-1, keepdim=True).to(torch.float32),
}


def _is_plain(graph: fx.GraphModule) -> bool:
    return is_decomposed(graph.graph, *_operators(_registry(OPSET))) and is_promoted(as_program(graph).graph)


@pytest.mark.parametrize(("name", "plain"), [*((n, True) for n in PLAIN), *((n, False) for n in REWRITTEN)])
def test_what_has_to_be_rewritten_is(name: str, plain: bool) -> None:
    torch.manual_seed(0)
    network = Reads((PLAIN | REWRITTEN)[name]).eval().requires_grad_(False)
    graph = capture_graph(network, SIGNATURE)
    assert _is_plain(graph) is plain
    model = ir.to_proto(to_onnx(graph, SIGNATURE, OPSET)).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    x = torch.randn(4, 5, 8)
    (got,) = session.run(None, {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(got), network(x), atol=1e-5, rtol=0)


def test_python_operators_on_sizes_are_plain() -> None:
    graph = capture_graph(Reads(lambda x: x.reshape(x.shape[0] * 5, 8).reshape(-1, 5, 8)).eval(), SIGNATURE)
    assert graph.graph.find_nodes(op="call_function", target=operator.mul)
    assert _is_plain(graph)


@pytest.mark.parametrize("name", ["whisper-smallest", "smallest"])
def test_canonical_models_are_plain(name: str, make_speech_model: Callable[[str], SpeechModel]) -> None:
    """What spares every translation a second trace."""
    for graph in prepare(make_speech_model(name)).program.graphs.values():
        assert _is_plain(graph)
