"""executed: what onnxruntime makes of a file, and files that it would not run as meant."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from myqasr_fx.errors import OutputError, VerificationError
from myqasr_fx.export.dequantize import grouped
from myqasr_fx.export.executed import check_executed, executed_graph, read_executed
from myqasr_fx.export.stored_weight import WeightReader
from myqasr_fx.runtime import OrtRunner, OrtSettings

Make = Callable[..., Any]


def test_fused_products_are_counted(make_case: Make, one_input: Make, tmp_path: Path) -> None:
    model = one_input(["n", 64])
    product = model.emitter.op("MatMul", model.x, grouped(WeightReader(model.emitter, make_case(3, False).weight)))
    onnx.save(model.proto(product), path := tmp_path / "model.onnx")
    found = check_executed(path, {}, 1)
    assert (dict(found.op_types), found.fused, found.unfused) == ({"MatMulNBits": 1}, 1, ())
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(VerificationError, match="1 of 2 low-bit matrix products run fused"):
        check_executed(path, {}, 2)


def test_a_weight_that_stays_dequantized_is_refused(make_case: Make, one_input: Make, tmp_path: Path) -> None:
    model = one_input(["n", 24])
    model.emitter.before(None, "layer.0")
    weight = grouped(WeightReader(model.emitter, make_case(4, False).weight))
    transposed = model.emitter.op("Transpose", weight, perm=[1, 0])
    onnx.save(model.proto(model.emitter.op("MatMul", model.x, transposed)), path := tmp_path / "model.onnx")
    assert executed_graph(path, {}).unfused == ("layer.0/DequantizeLinear",)
    with pytest.raises(VerificationError, match=r"DequantizeLinear: layer\.0"):
        check_executed(path, {}, 0)


def test_a_file_that_is_refused_says_why(one_input: Make, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(VerificationError, match=r"onnxruntime .* refuses model\.onnx: "):
        executed_graph(path, {})
    model = one_input([4])
    value = model.emitter.op("Cast", model.x, to=int(ir.DataType.FLOAT))
    proto = model.proto(value, rank=1)
    proto.graph.node[0].op_type = "NoSuchOperator"
    onnx.save(proto, path)
    with pytest.raises(VerificationError, match="NoSuchOperator"):
        executed_graph(path, {})


def test_plain_tensors_are_no_weights(one_input: Make, tmp_path: Path) -> None:
    model = one_input(["n"])
    scale, zero = model.emitter.constant(np.array(0.5, np.float32)), model.emitter.byte(3)
    quantized = model.emitter.op("QuantizeLinear", model.x, scale, zero)
    onnx.save(model.proto(model.emitter.op("DequantizeLinear", quantized, scale, zero), 1), path := tmp_path / "m.onnx")
    assert check_executed(path, {}, 0).unfused == ()


def test_a_full_temporary_folder_is_told_apart_from_a_file_that_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path := tmp_path / "model.onnx").write_bytes(b"\x00" * 99)
    with pytest.raises(VerificationError, match=r"refuses model\.onnx"):
        executed_graph(path, {})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=0))
    with pytest.raises(OutputError, match=r"no space left in the temporary folder .*TMPDIR"):
        executed_graph(path, {})


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_exact_sessions_unpack_weights_once_and_take_no_low_bit_kernel(
    make_case: Make, one_input: Make, tmp_path: Path, bits: int
) -> None:
    model, case = one_input(["n", 64]), make_case(bits, False)
    product = model.emitter.op("MatMul", model.x, grouped(WeightReader(model.emitter, case.weight)))
    onnx.save(model.proto(product), path := tmp_path / "model.onnx")
    runner = OrtRunner(path, OrtSettings(optimize=False, optimized_model=tmp_path / "run.onnx"))
    run = onnx.load(tmp_path / "run.onnx").graph
    assert [node.op_type for node in run.node] == ["MatMul"]
    x = np.random.default_rng(0).standard_normal((5, 64)).astype(np.float32)
    (got,) = runner.run({"x": x}, [run.output[0].name]).values()
    expected = x @ case.values.T
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_tensors_of_an_optimized_graph_lie_beside_it(make_case: Make, one_input: Make, tmp_path: Path) -> None:
    """One file of protobuf ends at 2 GiB, which what is unfolded of a large model may pass."""
    model, case = one_input(["n", 64]), make_case(4, False)
    product = model.emitter.op("MatMul", model.x, grouped(WeightReader(model.emitter, case.weight)))
    onnx.save(model.proto(product), path := tmp_path / "model.onnx")
    OrtRunner(path, OrtSettings(optimize=False).written_to(tmp_path / "run.onnx"))
    graph = onnx.load(tmp_path / "run.onnx", load_external_data=False).graph
    assert [tensor.data_location for tensor in graph.initializer] == [onnx.TensorProto.EXTERNAL]
    assert (tmp_path / "run.onnx_data").stat().st_size >= case.values.nbytes
    assert read_executed(tmp_path / "run.onnx").op_types == {"MatMul": 1}
