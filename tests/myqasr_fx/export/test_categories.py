from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from myqasr_fx.export.categories import bytes_by_category


def test_external_data_and_kept_layers(tmp_path: Path) -> None:
    arrays = {
        "a.0.codes4": np.zeros(1000, np.uint8),
        "a.0.scale": np.zeros(50, np.float16),
        "a.0.zero_point4": np.zeros(25, np.uint8),
        "b.weight": np.zeros(400, np.float32),
        "b.bias": np.zeros(100, np.float16),
        "other.0.scale": np.zeros(10, np.float16),  # of no layer
        "shape": np.zeros(3, np.int64),
    }
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph([], "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])], tensors)
    path = tmp_path / "model.onnx"
    onnx.save(
        helper.make_model(graph), path, save_as_external_data=True, location="model.onnx_data", size_threshold=500
    )
    found = bytes_by_category([path, tmp_path / "model.onnx_data"], ["a", "b"])
    data = found["model.onnx_data"]
    assert (data["codes"], data["weights in float"]) == (1000, 1600)
    assert sum(data.values()) == (tmp_path / "model.onnx_data").stat().st_size
    inside = found["model.onnx"]
    assert (inside["scales"], inside["zero points"], inside["norms, biases, positions"]) == (100, 25, 220)
    assert sum(inside.values()) == path.stat().st_size
