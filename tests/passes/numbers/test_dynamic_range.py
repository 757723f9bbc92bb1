"""DynamicRange: what both lowerings make of it is what ONNX DynamicQuantizeLinear computes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from passes.base import Program
from passes.graph import meta
from passes.lowering.lower_fake_quant import LowerToFakeQuant
from passes.lowering.lower_qdq import LowerToQDQ
from passes.lowering.qdq_ops import FORM_INTEGER, quantize_dynamic
from passes.numbers.dynamic_range import DynamicRange
from passes.numbers.scheme import Granularity, WeightSpec

Rounded = Callable[..., Program]
TOKENS = torch.arange(12).view(2, 6)
CHANNEL = WeightSpec(6, Granularity("channel"))


def on_onnxruntime(x: np.ndarray) -> np.ndarray:
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["codes", "scale", "zero"]),
        helper.make_node("DequantizeLinear", ["codes", "scale", "zero"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(x.shape)) for name in "xy"]
    graph = helper.make_graph(nodes, "dynamic", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize(("low", "high"), [(-1.0, 3.0), (0.5, 2.0), (-4.0, -1.0), (0.0, 0.0), (-1e-3, 1e4)])
def test_equals_the_operator_of_onnx(low: float, high: float) -> None:
    x = np.random.default_rng(0).uniform(low, high, (3, 50)).astype(np.float32)
    found = quantize_dynamic(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, on_onnxruntime(x), rtol=1e-6, atol=0)


@pytest.fixture
def program(rounded: Rounded) -> Program:
    return rounded(CHANNEL, dynamic=frozenset({"fc"}))


def test_calibrate_marks_the_layer_alone(program: Program) -> None:
    marked = {
        meta.get(node, meta.LAYER): meta.get(node, meta.ACTIVATION_QPARAMS)
        for _, _, node in program.nodes()
        if meta.get(node, meta.ACTIVATION_QPARAMS)
    }
    assert marked == {"fc": (DynamicRange(),)}


def test_both_lowerings_round_the_input_alike(program: Program) -> None:
    fake = LowerToFakeQuant()(program.clone()).graph_module
    result = LowerToQDQ()(program)
    module = result.graph_module
    assert result.modified and not LowerToQDQ()(result.program).modified
    targets = [node.target for node in module.graph.nodes]
    assert targets.count(torch.ops.myqasr.quantize_dynamic.default) == 1
    forms = [n.args[5] for n in module.graph.nodes if n.target is torch.ops.myqasr.dequantize_weight.default]
    assert forms.count(FORM_INTEGER) == 1
    torch.testing.assert_close(module(TOKENS), fake(TOKENS), rtol=1e-5, atol=1e-5)


def test_the_rounding_matters_and_is_small(rounded: Rounded, program: Program) -> None:
    with torch.no_grad():
        kept = LowerToFakeQuant()(rounded(CHANNEL)).graph_module(TOKENS)
        found = LowerToFakeQuant()(program).graph_module(TOKENS)
    assert 0 < float((found - kept).norm() / kept.norm()) < 0.02


def test_the_fake_quantized_graph_exports(program: Program) -> None:
    module = LowerToFakeQuant()(program).graph_module
    again = torch.export.export(module, (TOKENS,)).module(check_guards=False)
    assert torch.equal(again(TOKENS), module(TOKENS))
