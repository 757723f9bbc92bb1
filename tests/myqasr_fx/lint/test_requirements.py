from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from myqasr_fx.lint.requirements import min_opset, min_runtime

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("op", "first"), [("MatMul", 1), ("DequantizeLinear", 10), ("BitShift", 11), ("BitwiseOr", 18), ("Unknown", 1)]
)
def test_the_first_opset_with_every_operator_is_enough(write: Make, op: str, first: int) -> None:
    model = onnx.load(write([helper.make_node(op, ["x", "x"], ["y"])], []))
    assert (min_opset(model), min_runtime(model, 18)) == (first, "1.20")


@pytest.mark.parametrize(
    ("kind", "opset", "runtime"),
    [(TensorProto.UINT8, 21, "1.25"), (TensorProto.UINT4, 21, "1.22"), (TensorProto.UINT2, 25, "1.25")],
)
def test_narrow_types_and_blocks_ask_for_more(write: Make, kind: int, opset: int, runtime: str) -> None:
    weight = helper.make_tensor("w", kind, [32, 2], [1] * 64)
    scale = numpy_helper.from_array(np.ones((2, 2), np.float32), "s")
    node = helper.make_node("DequantizeLinear", ["w", "s"], ["f"], axis=0, block_size=16)
    model = onnx.load(write([node, helper.make_node("MatMul", ["x", "f"], ["y"])], [weight, scale], opset=opset))
    assert (min_opset(model), min_runtime(model, opset)) == (opset, runtime)


def test_a_cast_to_four_bits_asks_for_a_release_that_folds_it(write: Make) -> None:
    codes = numpy_helper.from_array(np.ones((32, 2), np.uint8), "w")
    node = helper.make_node("Cast", ["w"], ["y"], to=TensorProto.UINT4)
    model = onnx.load(write([node], [codes]))
    assert (min_opset(model), min_runtime(model, 21)) == (21, "1.23")


@pytest.mark.parametrize(("opset", "runtime"), [(None, "1.20"), (22, "1.21"), (25, "1.24"), (28, "1.32"), (99, "1.32")])
def test_newer_opsets_need_newer_releases(write: Make, opset: int | None, runtime: str) -> None:
    assert min_runtime(onnx.load(write([helper.make_node("Neg", ["x"], ["y"])], [])), opset) == runtime
