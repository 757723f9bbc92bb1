"""Copies of files with other floats: nothing else changes, and what the file cannot store is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.errors import ExportError
from myqasr_fx.export.replace_floats import replace_floats

CompileModel = Callable[..., QuantizedBundle]


def test_other_floats_and_nothing_else(compile_model: CompileModel, tmp_path: Path) -> None:
    path = compile_model(uniform_bits=4).path / "model.onnx"
    replace_floats(path, tmp_path / "same.onnx", {})
    assert (tmp_path / "same.onnx").read_bytes() == path.read_bytes()
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    name = next(name for name in stored if name.endswith("q_proj.bias"))
    wanted = np.linspace(-1, 1, stored[name].size).astype(np.float16).astype(np.float32)
    replace_floats(path, tmp_path / "other.onnx", {name: wanted})
    other = {t.name: numpy_helper.to_array(t) for t in onnx.load(tmp_path / "other.onnx").graph.initializer}
    np.testing.assert_array_equal(other.pop(name).astype(np.float32), wanted)
    assert stored.keys() - other.keys() == {name}
    assert all(np.array_equal(values, stored[key]) for key, values in other.items())
    for bad in (wanted[1:], wanted + np.float32(1e-5)):
        with pytest.raises(ExportError, match="another kind"):
            replace_floats(path, tmp_path / "bad.onnx", {name: bad})
    assert not (tmp_path / "bad.onnx").exists()
