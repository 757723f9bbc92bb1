"""Optimized graphs are kept: they compute the same, belong to one file, and bad ones are written again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from myqasr_fx.errors import BundleError, OutputError
from myqasr_fx.runtime import OrtRunner, OrtSettings
from myqasr_fx.runtime.kept_graphs import _written

X = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)


def _model(path: Path, scale: float = 1.0, external: bool = False) -> Path:
    """A product and a sum that onnxruntime fuses, a constant that it folds."""
    weight = scale * np.random.default_rng(1).standard_normal((8, 4)).astype(np.float32)
    stored = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.ones(4, np.float32), "b")]
    nodes = [
        helper.make_node("Add", ["b", "b"], ["two"]),
        helper.make_node("MatMul", ["x", "w"], ["xw"]),
        helper.make_node("Add", ["xw", "two"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", k]) for n, k in (("x", 8), ("y", 4))]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, path, save_as_external_data=external, location=f"{path.name}_data", size_threshold=0)
    return path


def _computed(path: Path, kept: Path | None) -> np.ndarray:
    return OrtRunner(path, OrtSettings(threads=1, kept=kept)).run({"x": X}, ["y"])["y"]


@pytest.mark.parametrize("external", [False, True])
def test_the_next_start_reads_what_was_kept(tmp_path: Path, external: bool) -> None:
    path, kept = _model(tmp_path / "model.onnx", external=external), tmp_path / "deep" / "kept"
    expected = _computed(path, None)
    assert np.array_equal(_computed(path, kept), expected)
    (folder,) = kept.iterdir()
    assert folder.name.startswith("model-")
    assert len(onnx.load(folder / "model.onnx").graph.node) < len(onnx.load(path).graph.node)
    before = [(one.name, one.stat().st_mtime_ns) for one in folder.iterdir()]
    assert np.array_equal(_computed(path, kept), expected)
    assert [(one.name, one.stat().st_mtime_ns) for one in folder.iterdir()] == before


@pytest.mark.parametrize("external", [False, True])
def test_another_file_of_that_name_is_not_taken_for_it(tmp_path: Path, external: bool) -> None:
    path, kept = tmp_path / "model.onnx", tmp_path / "kept"
    first = _computed(_model(path, external=external), kept)
    for old in tmp_path.glob("model.onnx*"):
        old.unlink()
    second = _computed(_model(path, 2.0, external=external), kept)
    assert not np.array_equal(first, second) and np.array_equal(second, _computed(path, None))
    assert len(list(kept.iterdir())) == 2


def test_options_of_the_session_belong_to_it(tmp_path: Path) -> None:
    path, kept = _model(tmp_path / "model.onnx"), tmp_path / "kept"
    for entries in ({}, {"session.disable_prepacking": "1"}):
        OrtRunner(path, OrtSettings(entries=entries, kept=kept))
    OrtRunner(path, OrtSettings(optimize=False, kept=kept))  # runs the file as it is
    assert len(list(kept.iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"\x00" * 64])
def test_what_is_damaged_is_written_again(tmp_path: Path, damage: bytes) -> None:
    path, kept = _model(tmp_path / "model.onnx"), tmp_path / "kept"
    expected = _computed(path, kept)
    (file,) = kept.rglob("model.onnx")
    whole = file.read_bytes()
    file.write_bytes(damage)
    assert np.array_equal(_computed(path, kept), expected)
    assert [one.read_bytes() for one in kept.rglob("model.onnx")] == [whole]


def test_a_bad_file_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(BundleError, match=r"refuses .*model\.onnx"):
        _computed(tmp_path / "model.onnx", tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    path, blocked = _model(tmp_path / "model.onnx"), tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError, match=r"file/kept: optimized graphs cannot be kept: Not a directory"):
        _computed(path, blocked / "kept")


def test_a_folder_made_for_what_cannot_be_written_is_gone(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="needs a limit on the size of files")
    path = _model(tmp_path / "model.onnx")
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, former[1]))
    try:
        with pytest.raises(OutputError, match="kept: optimized graphs cannot be kept"):
            _computed(path, tmp_path / "kept")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """onnxruntime cannot write its graph, and the file itself is good."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    path = _model(tmp_path / "model.onnx")
    with pytest.raises(OutputError, match="optimized graphs cannot be kept"):
        _written(path, OrtSettings(threads=1), Path("/dev/full"))
