"""files: whole graphs from torch to onnxruntime, in every kind of storage."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from myqasr_fx.capture.export import capture_graph
from myqasr_fx.capture.signature import GraphSignature, TensorSpec
from myqasr_fx.export import files as files_module
from myqasr_fx.export.executed import check_executed
from myqasr_fx.export.files import model_bytes, write_program
from passes.base import Program
from passes.canonical.canonicalize import Canonicalize
from passes.graph import meta
from passes.graph.layers import find_layers, nodes_of
from passes.lowering.lower_fake_quant import LowerToFakeQuant
from passes.lowering.lower_qdq import LowerToQDQ
from passes.numbers.scheme import Granularity, LayerScheme, RowBlock, WeightSpec, weight_spec
from passes.rounding.round_weights import RoundWeights

Run = Callable[..., Any]
Write = Callable[..., Any]
Tokens = Callable[[int], torch.Tensor]
TENSOR, CHANNEL, GROUP = Granularity("tensor"), Granularity("channel"), Granularity("group", 16)
HALF = WeightSpec(16, half=True)
STRINGS = weight_spec(3, GROUP, False, "trellis")
# q, k, v, out, twin, narrow and the tied output; wide has 24 inputs, which low-bit kernels do not take
LINEARS = {"everything": 7, "small": 2}


def error(got: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(got - expected) / np.linalg.norm(expected))


STORAGES: Mapping[str, tuple[str, tuple[WeightSpec, ...]]] = {
    "3 bits": ("everything", (WeightSpec(3, GROUP),)),
    "8 bits a tensor": ("everything", (WeightSpec(8, TENSOR),)),
    "5 and 1 bits": ("everything", (WeightSpec(5, GROUP), WeightSpec(1, GROUP))),
    "7 bits symmetric and float16": ("small", (WeightSpec(7, GROUP, True), HALF)),
    "4 bits": ("small", (WeightSpec(4, GROUP),)),
    "4 bits symmetric": ("small", (WeightSpec(4, CHANNEL, True),)),
    "float32 and 2 bits": ("small", (WeightSpec(32), WeightSpec(2, CHANNEL))),
    "runs of strings": ("small", (STRINGS, WeightSpec(5, GROUP), STRINGS, HALF, replace(STRINGS, granularity=CHANNEL))),
    "float16": ("small", (HALF,)),
    "float32": ("small", (WeightSpec(32),)),
}


@pytest.mark.parametrize("name", STORAGES)
def test_the_file_computes_what_fake_quant_computes(write: Write, run: Run, name: str, tokens: Tokens) -> None:
    network, specs = STORAGES[name]
    path, expected, _ = write(network, *specs)
    fused = LINEARS[network] * sum(not spec.is_float for spec in specs)
    x = tokens(9).numpy()
    (exact, _), _ = run(str(path), tokens=x)
    assert error(exact, expected) < 1e-5
    (shipped, _), executed = run(str(path), exact=False, tokens=x)
    assert error(shipped, expected) < 1e-5
    assert executed["MatMulNBits"] == fused and executed["DequantizeLinear"] == 0
    assert check_executed(path, {}, fused).fused == fused


@pytest.mark.parametrize("opset", range(21, 26))
def test_every_opset_loads(write: Write, run: Run, tokens: Tokens, opset: int) -> None:
    path, expected, _ = write("small", WeightSpec(2, GROUP), opset=opset)
    model = onnx.load(path)
    assert [(imported.domain, imported.version) for imported in model.opset_import] == [("", opset)]
    native = any(t.data_type == onnx.TensorProto.UINT2 for t in model.graph.initializer)
    assert native == (opset == 25)
    (exact, _), _ = run(str(path), tokens=tokens(9).numpy())
    assert error(exact, expected) < 1e-5
    check_executed(path, {}, LINEARS["small"])


def test_two_inputs_of_other_sizes_run(write: Write, run: Run) -> None:
    path, _, program = write("everything", WeightSpec(5, GROUP), WeightSpec(1, GROUP))
    graph = LowerToFakeQuant()(program.clone()).graph_module
    for size in ((1, 1), (4, 19)):
        x = torch.full(size, 3)
        (logits, _), _ = run(str(path), exact=False, tokens=x.numpy())
        with torch.no_grad():
            assert error(logits, graph(x)[0].numpy()) < 1e-5


def test_only_what_is_needed_is_in_the_file(write: Write) -> None:
    model = onnx.load(write("everything", WeightSpec(3, GROUP)).path)
    assert {node.domain for node in model.graph.node} == {""}
    assert not model.functions and not model.metadata_props and not model.graph.value_info
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    values = [*model.graph.input, *model.graph.output]
    assert [value.name for value in values] == ["tokens", "logits", "last_hidden_state"]
    assert not any(value.metadata_props for value in values)
    dims = [d.dim_param or d.dim_value for d in values[1].type.tensor_type.shape.dim]
    assert dims == ["batch", "length", 40]
    assert not any(node.op_type == "If" for node in model.graph.node)
    floats = [
        t.name for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT and np.prod(t.dims) >= 64
    ]
    assert not floats


@pytest.mark.parametrize("name", ["3 bits", "8 bits a tensor", "5 and 1 bits", "4 bits"])
def test_a_tied_weight_is_stored_once(write: Write, name: str) -> None:
    network, specs = STORAGES[name]
    stored = onnx.load(write(network, *specs).path).graph.initializer
    codes = sum(len(t.raw_data) for t in stored if t.name.startswith("embed") and ".codes" in t.name)
    assert codes == sum(40 * 32 * spec.bits // 8 for spec in specs) // len(specs)


def test_a_tied_weight_in_float_is_stored_once(
    run: Run, tmp_path: Path, tokens: Tokens, signature: GraphSignature
) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(400, 64)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return F.linear(self.embed(tokens), self.embed.weight)

    signature = GraphSignature(signature.inputs, (TensorSpec("logits", ("batch", "length", 400)),), signature.dims)
    program = Program({"model": capture_graph(Tied().eval(), signature)})
    Canonicalize()(program)
    for layer in find_layers(program):
        for _, node in nodes_of(program, layer):
            meta.put(node, meta.SCHEME, LayerScheme(layer.name, (RowBlock(0, 400, HALF),)))
    RoundWeights()(program)
    LowerToQDQ()(program)
    (path,) = write_program(program, {"model": signature}, 21, {"model": tmp_path / "model.onnx"})
    assert path.stat().st_size < 2 * 400 * 64 + 1000
    (logits,), executed = run(str(path), exact=False, tokens=tokens(9).numpy())
    assert error(logits, program.graphs["model"](tokens(9)).numpy()) < 1e-5
    assert executed["Transpose"] == 0


@pytest.mark.parametrize("name", ["3 bits", "8 bits a tensor", "5 and 1 bits", "4 bits"])
def test_one_wrong_number_shows(write: Write, run: Run, tmp_path: Path, name: str) -> None:
    network, specs = STORAGES[name]
    path, x = write(network, *specs).path, np.arange(40)[None]
    (right, _), _ = run(str(path), tokens=x)
    for layer in ("embed", "fc") if network == "small" else ("embed", "conv", "q", "narrow", "wide"):
        for part in ("codes", "scale", "zero_point"):
            model = onnx.load(path)
            wrong = next(t for t in model.graph.initializer if t.name.startswith(f"{layer}.0.{part}"))
            data = bytearray(wrong.raw_data)
            data[len(data) // 2] ^= 0b0001_0000
            wrong.raw_data = bytes(data)
            onnx.save(model, tmp_path / "wrong.onnx")
            (logits, _), _ = run(str(tmp_path / "wrong.onnx"), tokens=x)
            assert error(logits, right) > 5e-6, wrong.name


def test_large_files_keep_tensors_beside_them(
    write: Write, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signature: GraphSignature, tokens: Tokens
) -> None:
    path, expected, program = write("small", WeightSpec(4, GROUP))
    monkeypatch.setattr(files_module, "EXTERNAL_BYTES", 1)
    monkeypatch.setattr(files_module, "_EXTERNAL_TENSOR", 200)
    lowered = program.clone()
    LowerToQDQ()(lowered)
    files = write_program(lowered, {"model": signature}, 21, {"model": tmp_path / "model.onnx"})
    assert [file.name for file in files] == ["model.onnx", "model.onnx_data"]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert model_bytes(files) == sum(file.stat().st_size for file in files) >= path.stat().st_size - 1000
    (logits, _), _ = run(str(files[0]), tokens=tokens(9).numpy())
    assert error(logits, expected) < 1e-5
    check_executed(files[0], {}, LINEARS["small"])


def test_two_runs_write_the_same_bytes(write: Write, tmp_path: Path, signature: GraphSignature) -> None:
    path, _, program = write("small", WeightSpec(32), WeightSpec(2, CHANNEL))
    lowered = program.clone()
    LowerToQDQ()(lowered)
    (again,) = write_program(lowered, {"model": signature}, 21, {"model": tmp_path / "model.onnx"})
    assert again.read_bytes() == path.read_bytes()


def test_nothing_is_said(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
    rounded: Callable[..., Program],
    signature: GraphSignature,
) -> None:
    lowered = rounded("small", WeightSpec(3, GROUP))
    LowerToQDQ()(lowered)
    capfd.readouterr()
    recwarn.clear()
    with caplog.at_level(logging.INFO):
        write_program(lowered, {"model": signature}, 21, {"model": tmp_path / "model.onnx"})
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if not record.name.startswith("myqasr_fx")]
    assert not list(recwarn)
