import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from myqasr_fx.lint.tensors import bit_width, is_low_bit, num_bytes, origins, stored_tensors


@pytest.mark.parametrize(
    ("kind", "bits", "size", "low"),
    [
        (TensorProto.UINT2, 2, 2, True),
        (TensorProto.INT4, 4, 3, True),
        (TensorProto.UINT8, 8, 5, True),
        (TensorProto.FLOAT16, 16, 10, False),
        (TensorProto.INT64, 64, 40, False),
    ],
)
def test_widths_and_bytes(kind: int, bits: int, size: int, low: bool) -> None:
    tensor = helper.make_tensor("t", kind, [5], [1] * 5)
    assert (bit_width(tensor), num_bytes(tensor), is_low_bit(tensor)) == (bits, size, low)
    assert not is_low_bit(helper.make_tensor("t", kind, [], [1]))


def test_origins_reach_through_constants_and_stop_at_inputs() -> None:
    constant = numpy_helper.from_array(np.ones(3, np.float32))
    nodes = [
        helper.make_node("Constant", [], ["c"], value=constant),
        helper.make_node("Mul", ["w", "c"], ["both"]),
        helper.make_node("Add", ["both", "x"], ["y"]),
        helper.make_node("Neg", ["y"], ["z"]),
    ]
    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])
    graph = helper.make_graph(nodes, "g", [value], [], [weight])
    stored = stored_tensors(graph)
    assert set(stored) == {"w", "c"}
    assert origins(graph, stored) == {"w": {"w"}, "c": {"c"}, "both": {"w", "c"}}


def test_branches_are_searched() -> None:
    weight = numpy_helper.from_array(np.ones(3, np.uint8), "inner")
    branch = helper.make_graph([helper.make_node("Identity", ["inner"], ["b"])], "b", [], [], [weight])
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    assert set(stored_tensors(helper.make_graph([node], "g", [], []))) == {"inner"}
