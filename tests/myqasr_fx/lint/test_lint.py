"""lint: what becomes of low-bit weights in files that others write, and in ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

from myqasr_fx.errors import ExportError, VerificationError
from myqasr_fx.lint.lint import lint
from myqasr_fx.lint.record import Runs

IN, OUT, BLOCK = 64, 32, 32
STORED = IN * OUT // 2 + 4 * IN * OUT // BLOCK + IN * OUT // BLOCK // 2

Make = Callable[..., Any]


def test_groups_along_the_first_axis_run_in_a_low_bit_kernel(write: Make, blocked: Make) -> None:
    tensors, node = blocked((IN, OUT), 0)
    report = lint(write([node, helper.make_node("MatMul", ["x", "f"], ["y"], name="product")], tensors))
    (found,) = report.nodes
    assert (found.name, found.op, found.runs, found.bits) == ("product", "MatMulNBits", Runs.KERNEL, 4)
    assert (found.stored_bytes, found.memory_bytes) == (STORED, STORED)
    assert (report.run_bytes, report.opset, report.min_opset, report.min_runtime) == (0, 21, 21, "1.22")


@pytest.mark.parametrize(
    ("reader", "shape", "input_shape", "op", "advice"),
    [
        ([("Gemm", ["x", "f"], {"transB": 1})], (OUT, IN), ("B", IN), "Gemm", "set transB=0"),
        ([("Transpose", ["f"], {}), ("MatMul", ["x", "t"], {})], (OUT, IN), ("B", IN), "FusedMatMul", "Transpose"),
        ([("Conv", ["x", "f"], {})], (OUT, IN, 4), ("B", IN, "T"), "Conv", "unpack the weight with plain operators"),
        ([("Gather", ["f", "x"], {})], (OUT, IN), ("B",), "Gather", "GatherBlockQuantized"),
    ],
    ids=["gemm", "transpose", "conv", "gather"],
)
def test_what_is_not_fused_is_dequantized_on_every_run(
    write: Make,
    blocked: Make,
    reader: Sequence[tuple[str, list[str], dict[str, int]]],
    shape: Sequence[int],
    input_shape: Sequence[int | str],
    op: str,
    advice: str,
) -> None:
    tensors, node = blocked(shape, 1)
    outputs = (["t"], ["y"])[-len(reader) :]
    nodes = [helper.make_node(k, i, o, **a) for (k, i, a), o in zip(reader, outputs, strict=True)]
    kind = TensorProto.INT64 if op == "Gather" else TensorProto.FLOAT
    report = lint(write([node, *nodes], tensors, input_shape, kind=kind))
    (found,) = report.nodes
    assert (found.name, found.op, found.runs) == ("dq", f"DequantizeLinear -> {op}", Runs.EACH_RUN)
    assert report.run_bytes == found.run_bytes == 4 * np.prod(shape)
    assert found.advice is not None
    assert advice in found.advice


def test_plain_arithmetic_on_codes_is_folded_to_float(write: Make) -> None:
    codes = numpy_helper.from_array(np.arange(IN * OUT, dtype=np.uint8).reshape(IN, OUT), "codes")
    scale = numpy_helper.from_array(np.float32(0.01), "scale")
    nodes = [
        helper.make_node("Cast", ["codes"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["wide", "scale"], ["f"]),
        helper.make_node("MatMul", ["x", "f"], ["y"]),
    ]
    report = lint(write(nodes, [codes, scale]))
    (found,) = report.nodes
    assert (found.name, found.runs, found.memory_bytes) == ("codes", Runs.FOLDED, 4 * IN * OUT)
    assert report.folded_bytes == 4 * IN * OUT - IN * OUT - 4
    assert report.min_opset == 1


def test_packed_rows_are_looked_up_as_stored(write: Make) -> None:
    codes = numpy_helper.from_array(np.zeros((OUT, IN), np.uint8), "codes")
    nodes = [
        helper.make_node("Gather", ["codes", "x"], ["rows"]),
        helper.make_node("Cast", ["rows"], ["y"], to=TensorProto.FLOAT),
    ]
    report = lint(write(nodes, [codes], ("B",), kind=TensorProto.INT64))
    assert [(n.name, n.op, n.runs) for n in report.nodes] == [("codes", "Gather", Runs.LOOKUP)]
    assert report.count(Runs.LOOKUP) == 1


def _float_model(write: Make) -> Path:
    weight = np.random.default_rng(0).normal(size=(IN, OUT)).astype(np.float32)
    return write([helper.make_node("MatMul", ["x", "w"], ["y"], name="mm")], [numpy_helper.from_array(weight, "w")])


def test_what_onnxruntime_quantizes_itself(write: Make, tmp_path: Path) -> None:
    path = _float_model(write)
    assert lint(path).nodes == ()
    quantize_dynamic(path, dynamic := tmp_path / "dynamic.onnx")
    assert [(n.op, n.runs, n.bits) for n in lint(dynamic).nodes] == [("DynamicQuantizeMatMul", Runs.KERNEL, 8)]
    quantizer = MatMulNBitsQuantizer(onnx.load(path), bits=4, block_size=BLOCK)
    quantizer.process()
    onnx.save(quantizer.model.model, blocks := tmp_path / "blocks.onnx")
    assert [(n.op, n.runs, n.bits) for n in lint(blocks).nodes] == [("MatMulNBits", Runs.KERNEL, 4)]


def test_roundings_of_activations_that_stay_are_counted(write: Make) -> None:
    scale, zero = numpy_helper.from_array(np.float32(0.5), "s"), numpy_helper.from_array(np.uint8(3), "z")
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    report = lint(write(nodes, [scale, zero]))
    assert (report.nodes, report.activations) == ((), 2)


def test_a_file_that_cannot_be_read_or_loaded_says_why(write: Make, tmp_path: Path) -> None:
    for name in ("text.onnx", "config.json"):  # onnx takes a JSON file for a model spelled in JSON
        (tmp_path / name).write_text('{"no": "model"}')
        with pytest.raises(ExportError, match=rf"{re.escape(name)}: no ONNX file"):
            lint(tmp_path / name)
    whole = write([helper.make_node("Identity", ["x"], ["y"])], []).read_bytes()
    for content, words in (
        (b"hello\n", "its 6 bytes are no protobuf, or cut short"),
        (whole[:-3], f"its {len(whole) - 3} bytes are no protobuf, or cut short"),
        (b"", "its 0 bytes hold no graph"),
    ):
        (tmp_path / "bad.onnx").write_bytes(content)
        with pytest.raises(ExportError, match=f"bad.onnx: no ONNX file: {words}"):
            lint(tmp_path / "bad.onnx")
    with pytest.raises(VerificationError, match="NoSuchOperator"):
        lint(write([helper.make_node("NoSuchOperator", ["x"], ["y"])], []))
