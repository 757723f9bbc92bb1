"""What the benchmarks of kernels and lengths read off a profile and cut from a sound."""

from __future__ import annotations

import json
from pathlib import Path

import ctc_speed
import kernel_choice
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from start_up import Row, table


def test_one_rounding_is_shared_by_the_products_that_read_it() -> None:
    def event(kind: str, name: str, taken: int) -> dict[str, object]:
        shapes = {"input_type_shape": [{"float": [1, 50, 4]}], "output_type_shape": [{"float": [1, 50, 8]}]}
        return {"cat": "Node", "name": f"{name}_kernel_time", "dur": taken, "args": {"op_name": kind, **shapes}}

    events = [
        {"cat": "Session", "name": "model_run", "dur": 999},
        event("DynamicQuantizeLinear", "r0", 10),
        event("MatMulIntegerToFloat", "q", 100),
        event("MatMulIntegerToFloat", "k", 200),
        event("Softmax", "s", 50),
        event("DynamicQuantizeMatMul", "f", 400),
        event("DynamicQuantizeLinear", "r1", 7),
        event("MatMulIntegerToFloat", "o", 300),
    ]
    found = {name.split("_")[0]: taken for name, _, taken in kernel_choice.products(events, kernel_choice.INTEGER)}
    assert found == {"q": 105, "k": 205, "f": 400, "o": 307}
    assert {shape for _, shape, _ in kernel_choice.products(events, kernel_choice.INTEGER)} == {(4, 8)}


def test_a_profile_of_onnxruntime_is_read(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.eye(32, dtype=np.float32), "w")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "frames", 32]) for name in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "product")], "g", ends[:1], ends[1:], [weight]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), tmp_path / "m.onnx")
    options = onnxruntime.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "profile")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", options, providers=["CPUExecutionProvider"])
    session.run(None, {"x": np.ones((1, 5, 32), np.float32)})
    events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    ((_, shape, taken),) = kernel_choice.products(events, ("MatMul",))
    assert shape == (32, 32) and taken >= 0


@pytest.mark.parametrize(("seconds", "count"), [(2, 3), (3, 2), (7, 0)])
def test_pieces_are_whole(seconds: float, count: int) -> None:
    sound = np.arange(6.5 * ctc_speed.SAMPLING_RATE)
    cut = ctc_speed.pieces(sound, seconds, 8)
    assert [len(piece) for piece in cut] == [seconds * ctc_speed.SAMPLING_RATE] * count
    assert np.array_equal(np.concatenate([*cut, []]), sound[: sum(map(len, cut))])
    assert len(ctc_speed.pieces(sound, 1, 2)) == 2


def test_tables_have_a_line_a_bundle() -> None:
    rows = [ctc_speed.Row(length, name, 10, 1, 0.5, 0.5, 4, 1) for length in (2.0, 5.0) for name in ("full", "ours")]
    assert ctc_speed.table(rows)[2:] == [f"| {name} | 0.00 | 0.50 | 0.50 | 2 of 8 |" for name in ("full", "ours")]
    assert len(table([Row("ours", 10, *[0.1] * 9)])) == 3
