"""onnxruntime prints when its own message is no UTF-8, and tries again; nothing of that reaches the terminal."""

from __future__ import annotations

import os
from pathlib import Path

import onnx
import onnxruntime
import pytest

from myqasr_fx.process.onnx_session import open_session


@pytest.fixture
def unreadable(tmp_path: Path) -> Path:
    """A file with an operator whose name is no UTF-8."""
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("NoSuchOperator", ["x"], ["y"])
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "g", [value], [result]), opset_imports=[onnx.helper.make_opsetid("", 21)]
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString().replace(b"NoSuchOperator", b"\xffoSuchOperator"))
    return path


def test_onnxruntime_speaks_of_it(unreadable: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="codec"):
        onnxruntime.InferenceSession(unreadable, providers=["CPUExecutionProvider"])
    assert "EP Error" in capfd.readouterr().out


def test_we_do_not(unreadable: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    with pytest.raises(ValueError, match="codec"):
        open_session(unreadable, options)
    assert capfd.readouterr() == ("", "")


def test_a_path_that_is_no_utf8_is_told(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"u\xff")
    with pytest.raises(ValueError, match="its path is no UTF-8: rename"):
        open_session(folder / "model.onnx", onnxruntime.SessionOptions())
