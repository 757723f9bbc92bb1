"""Where the tensors of an ONNX file may lie."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from myqasr_fx.bundle.bundle import BundleManifest, FileRecord, QuantizedBundle
from myqasr_fx.bundle.external_data import external_locations, model_files
from myqasr_fx.errors import BundleError

WIDTH = 4
MakeBundle = Callable[..., QuantizedBundle]


def tensor(location: str | None) -> TensorProto:
    made = numpy_helper.from_array(np.ones(WIDTH, np.float32), "w")
    if location is not None:
        made.ClearField("raw_data")
        made.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", str(4 * WIDTH))):
            made.external_data.add(key=key, value=value)
    return made


def in_initializer(made: TensorProto) -> onnx.ModelProto:
    return _model([helper.make_node("Add", ["x", "w"], ["y"])], [made])


def in_attribute(made: TensorProto) -> onnx.ModelProto:
    nodes = [helper.make_node("Constant", [], ["w"], value=made), helper.make_node("Add", ["x", "w"], ["y"])]
    return _model(nodes, [])


def in_branch(made: TensorProto) -> onnx.ModelProto:
    body = helper.make_graph([helper.make_node("Add", ["x", "w"], ["z"])], "then", [], [_value("z")], [made])
    chosen = helper.make_node("If", ["flag"], ["y"], then_branch=body, else_branch=body)
    return _model([chosen], [numpy_helper.from_array(np.array(True), "flag")])


def in_function(made: TensorProto) -> onnx.ModelProto:
    nodes = [helper.make_node("Constant", [], ["w"], value=made), helper.make_node("Add", ["a", "w"], ["b"])]
    opset = [helper.make_opsetid("", 20)]
    model = _model([helper.make_node("Grow", ["x"], ["y"], domain="mine")], [])
    model.functions.append(helper.make_function("mine", "Grow", ["a"], ["b"], nodes, opset))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    return model


def _value(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [WIDTH])


def _model(nodes: list[onnx.NodeProto], initializers: list[TensorProto]) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", [_value("x")], [_value("y")], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


PLACES = [in_initializer, in_attribute, in_branch, in_function]


@pytest.fixture
def make_bundle(manifest: BundleManifest, tmp_path: Path) -> MakeBundle:
    """A bundle of one model, and of further files that it lists."""

    def make(model: bytes, *others: str) -> QuantizedBundle:
        folder = tmp_path / "bundle"
        folder.mkdir()
        for name, content in {"model.onnx": model, **dict.fromkeys(others, b"0" * 4 * WIDTH)}.items():
            (folder / name).write_bytes(content)
        files = tuple(FileRecord(p.name, p.stat().st_size, {}) for p in sorted(folder.iterdir()))
        replace(manifest, files=files).write(folder)
        return QuantizedBundle.open(folder)

    return make


@pytest.mark.parametrize("place", PLACES)
def test_locations_are_found_wherever_a_tensor_is(
    place: Callable[[TensorProto], onnx.ModelProto], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    for location, expected in ((None, set()), ("w.data", {"w.data"}), ("../../etc/passwd", {"../../etc/passwd"})):
        path.write_bytes(place(tensor(location)).SerializeToString())
        assert external_locations(path) == expected


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("location", ["../w.data", "/etc/passwd", "not_listed", "*/_ORT_MEM_ADDR_/*", ""])
def test_a_bundle_names_no_other_file(
    place: Callable[[TensorProto], onnx.ModelProto], location: str, make_bundle: MakeBundle
) -> None:
    bundle = make_bundle(place(tensor(location)).SerializeToString())
    with pytest.raises(BundleError, match=r"model\.onnx: its tensors lie in"):
        model_files(bundle, ["model"])


def test_a_file_that_the_bundle_lists_is_allowed(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(in_initializer(tensor("model.onnx_data")).SerializeToString(), "model.onnx_data")
    assert model_files(bundle, ["model"]) == {"model": bundle.path / "model.onnx"}


def test_a_graph_that_the_bundle_does_not_list(make_bundle: MakeBundle) -> None:
    with pytest.raises(BundleError, match=r"lists no file 'encoder_model\.onnx'"):
        model_files(make_bundle(b""), ["encoder_model"])


@pytest.mark.parametrize("content", [b"\xff" * 40, b"\x3a\xff\xff\x7f", b"no model at all", b"\x0b\x0c", b"\x3a"])
def test_what_is_no_onnx_file_is_one_line(content: bytes, make_bundle: MakeBundle) -> None:
    with pytest.raises(BundleError, match=r"model\.onnx: no ONNX file"):
        model_files(make_bundle(content), ["model"])
