"""expand: placeholders of every kind, and what cannot be expanded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from myqasr_fx.errors import ExportError
from myqasr_fx.export.expand import expand_placeholders
from myqasr_fx.export.placeholders import DEQUANTIZE_WEIGHT, DOMAIN, QUANTIZE_DEQUANTIZE
from passes.lowering.qdq_ops import FORM_MATMUL

Make = Callable[..., Any]


def stored(graph: ir.Graph, name: str, array: np.ndarray) -> ir.Value:
    value = ir.Value(name=name, const_value=ir.Tensor(array, name=name))
    graph.register_initializer(value)
    return value


def placeholder(graph: ir.Graph, kind: str, inputs: list[ir.Value], **attributes: Any) -> ir.Value:
    node = ir.node(kind, inputs, attributes=attributes, domain=DOMAIN, name="p")
    graph.append(node)
    return node.outputs[0]


def test_weights_whose_equal_codes_were_merged_keep_their_own_scales(
    make_case: Make, one_input: Make, run: Make
) -> None:
    model = one_input(["n", 64])
    case = make_case(4, True, "group:16", (64, 64))
    codes = stored(model.graph, "a_packed", case.weight.packed)
    value = model.x
    for name, factor in (("a", 1), ("b", 2)):
        scale = stored(model.graph, f"{name}_scale", case.weight.scale * np.float16(factor))
        weight = placeholder(model.graph, DEQUANTIZE_WEIGHT, [codes, scale], bits=4, shape=[64, 64], form=FORM_MATMUL)
        node = ir.node("MatMul", [value, weight])
        model.graph.append(node)
        value = node.outputs[0]
    expand_placeholders(ir.Model(model.graph, ir_version=10))
    proto = model.proto(value)
    x = np.random.default_rng(0).standard_normal((2, 64)).astype(np.float32)
    (result,), _ = run(proto, x=x)
    np.testing.assert_allclose(result, x @ case.values.T @ (2 * case.values.T), rtol=1e-3, atol=1e-3)
    (result,), executed = run(proto, exact=False, x=x)
    assert executed == {"MatMulNBits": 2}
    assert {t.name for t in proto.graph.initializer} >= {"a.codes4", "a_1.codes4", "a.scale", "a_1.scale"}


def test_codes_that_are_computed_cannot_be_expanded(make_case: Make, one_input: Make) -> None:
    model = one_input(["n", 64])
    case = make_case(4, True)
    scale = stored(model.graph, "a_scale", case.weight.scale)
    placeholder(model.graph, DEQUANTIZE_WEIGHT, [model.x, scale], bits=4, shape=[24, 64], form=FORM_MATMUL)
    with pytest.raises(ExportError, match="p: codes and scales must be stored"):
        expand_placeholders(ir.Model(model.graph, ir_version=10))


def test_unknown_forms_are_refused(make_case: Make, one_input: Make) -> None:
    model = one_input(["n", 64])
    case = make_case(4, True)
    tensors = [stored(model.graph, "a_packed", case.weight.packed), stored(model.graph, "a_scale", case.weight.scale)]
    weight = placeholder(model.graph, DEQUANTIZE_WEIGHT, tensors, bits=4, shape=[24, 64], form="sideways")
    model.graph.append(ir.node("MatMul", [model.x, weight]))
    with pytest.raises(ExportError, match="form 'sideways', expected one of matmul, integer, folded"):
        expand_placeholders(ir.Model(model.graph, ir_version=10))


def test_activations_round_as_torch_does(one_input: Make, run: Make) -> None:
    model = one_input(["n"])
    scale = float(np.float32(0.0371))
    rounded = placeholder(model.graph, QUANTIZE_DEQUANTIZE, [model.x], scale=scale, zero_point=128, bits=8)
    node = ir.node("Neg", [rounded])
    model.graph.append(node)
    ir_model = ir.Model(model.graph, ir_version=10)
    ir_model.opset_imports[DOMAIN] = 1
    expand_placeholders(ir_model)
    assert DOMAIN not in ir_model.opset_imports
    proto = model.proto(node.outputs[0], rank=1)
    assert [n.op_type for n in proto.graph.node] == ["QuantizeLinear", "DequantizeLinear", "Neg"]
    assert isinstance(proto, onnx.ModelProto)
    x = (np.arange(-200, 200, dtype=np.float32) + np.float32(0.5)) * np.float32(scale)
    (result,), _ = run(proto, x=x)
    codes = np.clip(np.rint(x / np.float32(scale)) + 128, 0, 255) - 128
    assert np.array_equal(result, -(codes.astype(np.float32) * np.float32(scale)))
