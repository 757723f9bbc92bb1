"""dequantize: each form gives the exact values, and onnxruntime runs it as it is meant to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from myqasr_fx.errors import ExportError
from myqasr_fx.export.dequantize import folded, grouped, integer, rows
from myqasr_fx.export.stored_weight import WeightReader
from passes.numbers.affine import zero_point_bits
from passes.numbers.scale_grid import bytes_of_scale

Make = Callable[..., Any]
GRANULARITIES = ["tensor", "channel", "group:16", "group:32"]
WIDTHS = pytest.mark.parametrize("bits", range(1, 9))
SYMMETRIES = pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
X = np.random.default_rng(0).standard_normal((5, 64)).astype(np.float32)


@WIDTHS
@SYMMETRIES
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_grouped_weights_are_exact_and_fuse(
    make_case: Make, one_input: Make, run: Make, bits: int, symmetric: bool, granularity: str
) -> None:
    case = make_case(bits, symmetric, granularity)
    model = one_input(["n", 64])
    weight = grouped(WeightReader(model.emitter, case.weight))
    proto = model.proto(model.emitter.op("MatMul", model.x, weight))
    (values,), _ = run(proto, x=np.eye(64, dtype=np.float32))
    assert np.array_equal(values, case.values.T)
    for integers in (False, True):  # the second is what a bundle may ask for, and turns signed bytes into unsigned ones
        (fused,), executed = run(proto, exact=False, integers=integers, x=X)
        assert executed == {"MatMulNBits": 1}
        np.testing.assert_allclose(fused, X @ case.values.T, rtol=1e-4, atol=1e-4)


@WIDTHS
@SYMMETRIES
@pytest.mark.parametrize("opset", [21, 25])
@pytest.mark.parametrize("form", [grouped, folded])
def test_no_bit_is_stored_in_vain(
    make_case: Make, one_input: Make, bits: int, symmetric: bool, opset: int, form: Callable[..., ir.Value]
) -> None:
    """A weight of 384 inputs takes its width, a byte of scale a group of 64, b / 64 of zero points, few constants."""
    case = make_case(bits, symmetric, "group:64", (384, 384), plain=form is folded)
    model = one_input(["n", 384], opset=opset)
    form(WeightReader(model.emitter, case.weight))
    stored = sum(value.const_value.nbytes for value in model.graph.initializers.values())
    per_weight = 8 * stored / 384**2
    scales = 8 * bytes_of_scale(384 // 64) / 64
    zeros = 0 if symmetric else zero_point_bits(bits) / 64
    assert bits + scales + zeros <= per_weight <= bits + scales + zeros + 0.04
    assert per_weight <= bits + (0.27 if symmetric else 0.38) or bits == 1


@SYMMETRIES
@pytest.mark.parametrize("cols", [16, 48, 320, 384, 512])
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_grouped_weights_of_any_width_fuse(
    make_case: Make, one_input: Make, run: Make, cols: int, symmetric: bool, granularity: str
) -> None:
    case = make_case(4, symmetric, granularity, (8, cols))
    model = one_input(["n", cols])
    proto = model.proto(model.emitter.op("MatMul", model.x, grouped(WeightReader(model.emitter, case.weight))))
    (values,), _ = run(proto, x=np.eye(cols, dtype=np.float32))
    assert np.array_equal(values, case.values.T)
    _, executed = run(proto, exact=False, x=np.eye(cols, dtype=np.float32))
    assert executed == {"MatMulNBits": 1}


@WIDTHS
@SYMMETRIES
@pytest.mark.parametrize("granularity", ["tensor", "channel"])
@pytest.mark.parametrize("cols", [64, 20])
def test_integer_weights_are_exact_and_run_on_integers(
    make_case: Make, one_input: Make, run: Make, bits: int, symmetric: bool, granularity: str, cols: int
) -> None:
    case = make_case(bits, symmetric, granularity, (24, cols))
    model = one_input(["n", cols])
    emitter = model.emitter
    scale, zero_point = emitter.constant(np.array(1 / 64, np.float32)), emitter.byte(100)
    rounded = emitter.op(
        "DequantizeLinear", emitter.op("QuantizeLinear", model.x, scale, zero_point), scale, zero_point
    )
    proto = model.proto(emitter.op("MatMul", rounded, integer(WeightReader(emitter, case.weight))))
    (values,), _ = run(proto, x=np.eye(cols, dtype=np.float32))
    assert np.array_equal(values, case.values.T)
    (fused,), executed = run(proto, exact=False, integers=True, x=X[:, :cols] / 4)
    assert executed == {"QuantizeLinear": 1, "MatMulIntegerToFloat": 1}
    codes = np.clip(np.rint(X[:, :cols] / 4 * 64) + 100, 0, 255) - 100
    np.testing.assert_allclose(fused, codes / 64 @ case.values.T, rtol=1e-4, atol=1e-5)


@WIDTHS
@SYMMETRIES
@pytest.mark.parametrize("granularity", ["tensor", "channel", "group:16"])
@pytest.mark.parametrize("shape", [(6, 48), (6, 20), (5, 13), (4, 16, 3), (3, 5, 7)], ids=str)
def test_folded_weights_are_exact(
    make_case: Make, one_input: Make, run: Make, bits: int, symmetric: bool, granularity: str, shape: tuple[int, ...]
) -> None:
    case = make_case(bits, symmetric, granularity, shape, plain=True)
    model = one_input(shape)
    proto = model.proto(model.emitter.op("Add", model.x, folded(WeightReader(model.emitter, case.weight))), len(shape))
    zeros = np.zeros(shape, np.float32)
    (values,), _ = run(proto, x=zeros)
    assert np.array_equal(values, case.values.reshape(shape))
    (values,), executed = run(proto, exact=False, x=zeros)
    assert np.array_equal(values, case.values.reshape(shape))
    assert executed == {"Add": 1}


@WIDTHS
@SYMMETRIES
@pytest.mark.parametrize("granularity", ["tensor", "channel", "group:16"])
def test_looked_up_rows_are_exact(
    make_case: Make, one_input: Make, run: Make, bits: int, symmetric: bool, granularity: str
) -> None:
    case = make_case(bits, symmetric, granularity, (50, 48), plain=True)
    model = one_input(["b", "t"], ir.DataType.INT64)
    proto = model.proto(rows(WeightReader(model.emitter, case.weight), model.x), 3)
    indices = np.array([[0, 49, 7], [7, 1, 2]])
    for exact in (True, False):
        (values,), executed = run(proto, exact=exact, x=indices)
        assert np.array_equal(values, case.values[indices])
    assert executed["DequantizeLinear"] == 0 and executed["BitwiseOr"] <= 2


@SYMMETRIES
@pytest.mark.parametrize("bits", [1, 4, 7, 8])
@pytest.mark.parametrize("granularity", ["tensor", "group:16"])
def test_lookup_and_products_share_what_is_stored(
    make_case: Make, one_input: Make, run: Make, bits: int, symmetric: bool, granularity: str
) -> None:
    case = make_case(bits, symmetric, granularity, (50, 48), plain=True)
    model = one_input(["b", "t"], ir.DataType.INT64)
    reader = WeightReader(model.emitter, case.weight)
    found = rows(reader, model.x)
    first = model.emitter.op("MatMul", found, grouped(reader))
    second = model.emitter.op("MatMul", model.emitter.op("Tanh", found), grouped(reader))
    proto = model.proto(model.emitter.op("Add", first, second), 3)
    stored = sum(len(t.raw_data) for t in proto.graph.initializer if t.name.startswith("w"))
    zeros = case.weight.zero_point
    scales = bytes_of_scale(case.weight.groups) * case.weight.scale.size
    assert stored == case.weight.packed.nbytes + scales + (0 if zeros is None else zeros.nbytes)
    indices = np.array([[0, 49, 7]])
    looked_up = case.values[indices]
    expected = looked_up @ case.values.T + np.tanh(looked_up) @ case.values.T
    (result,), executed = run(proto, exact=False, x=indices)
    assert executed["MatMulNBits"] == 2 and executed["DequantizeLinear"] == 0
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-3)


@SYMMETRIES
@pytest.mark.parametrize("granularity", ["tensor", "channel", "group:16"])
@pytest.mark.parametrize("shape", [(24, 64), (7, 48), (10, 64)], ids=str)
def test_two_bits_are_native_at_opset_25_where_the_kernel_reads_them_right(
    make_case: Make, one_input: Make, run: Make, symmetric: bool, granularity: str, shape: tuple[int, int]
) -> None:
    case = make_case(2, symmetric, granularity, shape)
    model = one_input(["n", shape[1]], opset=25)
    proto = model.proto(model.emitter.op("MatMul", model.x, grouped(WeightReader(model.emitter, case.weight))))
    (codes,) = [t for t in proto.graph.initializer if t.name.startswith("w2.codes")]
    native = ir.DataType.INT2 if symmetric else ir.DataType.UINT2
    assert codes.data_type == (native if shape[0] % 4 == 0 else ir.DataType.UINT8)
    x = np.eye(shape[1], dtype=np.float32)
    (values,), _ = run(proto, x=x)
    assert np.array_equal(values, case.values.T)
    (fused,), executed = run(proto, exact=False, x=x)
    assert executed == {"MatMulNBits": 1}
    np.testing.assert_allclose(fused, case.values.T, rtol=1e-4, atol=1e-4)


def test_equal_scales_of_two_layers_do_not_keep_them_from_fusing(make_case: Make, one_input: Make, run: Make) -> None:
    model = one_input(["n", 64])
    value = model.x
    for name in ("first", "second", "third"):
        weight = make_case(3, True, "tensor", (64, 64)).weight
        renamed = type(weight)(name, weight.bits, weight.shape, weight.packed, weight.scale, None, False)
        value = model.emitter.op("MatMul", value, grouped(WeightReader(model.emitter, renamed)))
    _, executed = run(model.proto(value), exact=False, x=X)
    assert executed == {"MatMulNBits": 3}


def test_grouped_scales_are_refused_by_integer_kernels(make_case: Make, one_input: Make) -> None:
    model = one_input(["n", 64])
    with pytest.raises(ExportError, match=r"w4: integer kernels .*--granularity tensor or channel"):
        integer(WeightReader(model.emitter, make_case(4, False, "group:16").weight))


def test_groups_that_no_kernel_takes_are_refused(make_case: Make, one_input: Make) -> None:
    model = one_input(["n", 40])
    with pytest.raises(ExportError, match="groups of 40 weights, expected a multiple of 16"):
        grouped(WeightReader(model.emitter, make_case(4, False, "channel", (8, 40)).weight))
