"""Small ONNX files with quantized weights in the forms that people write."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

IN, OUT, BLOCK = 64, 32, 32

Graph = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Graph:
    """Writes nodes from ``x`` to ``y`` with their tensors as a file."""

    def save(
        nodes: Sequence[onnx.NodeProto],
        tensors: Sequence[onnx.TensorProto],
        shape: Sequence[int | str] = ("B", IN),
        opset: int = 21,
        kind: int = TensorProto.FLOAT,
    ) -> Path:
        x = helper.make_tensor_value_info("x", kind, shape)
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph(nodes, "g", [x], [y], tensors)
        imports = [helper.make_opsetid("", opset)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports))
        onnx.save(model, path := tmp_path / "model.onnx")
        return path

    return save


@pytest.fixture
def blocked() -> Callable[..., tuple[list[onnx.TensorProto], onnx.NodeProto]]:
    """Tensors and DequantizeLinear, from ``w`` to ``f``, of a random 4-bit weight in blocks along an axis."""

    def make(shape: Sequence[int], axis: int) -> tuple[list[onnx.TensorProto], onnx.NodeProto]:
        codes = np.random.default_rng(0).integers(0, 16, shape)
        scales = list(shape)
        scales[axis] //= BLOCK
        tensors = [
            helper.make_tensor("w", TensorProto.UINT4, shape, codes.flatten().tolist()),
            numpy_helper.from_array(np.full(scales, 0.01, np.float32), "scale"),
            helper.make_tensor("zero", TensorProto.UINT4, scales, [8] * int(np.prod(scales))),
        ]
        names = ["w", "scale", "zero"]
        node = helper.make_node("DequantizeLinear", names, ["f"], name="dq", axis=axis, block_size=BLOCK)
        return tensors, node

    return make
