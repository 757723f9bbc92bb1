"""Trellis strings in a file: exact values in every form, fused where a kernel takes them, read back by others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from myqasr_fx.bundle.bundle import BlockRecord, LayerRecord
from myqasr_fx.errors import BundleError
from myqasr_fx.export.dequantize import folded
from myqasr_fx.export.expand import expand_placeholders
from myqasr_fx.export.placeholders import DEQUANTIZE_WEIGHT, DOMAIN
from myqasr_fx.export.read_weights import read_weights
from myqasr_fx.export.stored_weight import StoredWeight, WeightReader
from passes.lowering.qdq_ops import FORM_MATMUL
from passes.numbers.scheme import TRELLIS_BITS

Make = Callable[..., Any]
Strings = Callable[..., tuple[StoredWeight, np.ndarray]]
MIXED = (*[1, 2, 2, 3] * 4, *[3, 6, 4, 5] * 12)
"""Widths of columns."""

WIDTHS = pytest.mark.parametrize("bits", [*TRELLIS_BITS, pytest.param(MIXED, id="mixed")])
Bits = int | tuple[int, ...]
HEIGHTS = pytest.mark.parametrize("height", [1, 24, 77, 1850])
COLS = 64


def weight_of(graph: ir.Graph, stored: StoredWeight, name: str = "layer.0") -> ir.Value:
    """The placeholder of a weight that products read."""
    tensors = {"packed": stored.packed, "scale": stored.scale, "table": stored.table, "gains": stored.gains}
    values = {kind: ir.Value(name=f"{name}_{kind}", const_value=ir.Tensor(array)) for kind, array in tensors.items()}
    for value in values.values():
        graph.register_initializer(value)
    inputs = [values["packed"], values["scale"], None, values["table"], values["gains"]]
    attributes = {"bits": stored.bits, "shape": list(stored.shape), "form": FORM_MATMUL}
    node = ir.node(DEQUANTIZE_WEIGHT, inputs, attributes=attributes, domain=DOMAIN)
    graph.append(node)
    return node.outputs[0]


def product_of(graph: ir.Graph, x: ir.Value, weight: ir.Value) -> ir.Value:
    graph.append(node := ir.node("MatMul", [x, weight]))
    return node.outputs[0]


@WIDTHS
@HEIGHTS
def test_a_product_is_exact_and_fuses(one_input: Make, run: Make, strings: Strings, bits: Bits, height: int) -> None:
    (stored, values), model = strings(bits, height), one_input(["n", COLS])
    product = product_of(model.graph, model.x, weight_of(model.graph, stored))
    expand_placeholders(ir.Model(model.graph, ir_version=10))
    proto = model.proto(product)
    (dequantize,) = (node for node in proto.graph.node if node.op_type == "DequantizeLinear")
    assert {a.name: a.i for a in dequantize.attribute}["block_size"] == 32
    (found,), _ = run(proto, x=np.eye(COLS, dtype=np.float32))
    assert np.array_equal(found, values.T)
    _, executed = run(proto, exact=False, x=np.eye(COLS, dtype=np.float32))
    assert executed == {"MatMulNBits": 1, "Mul": 1}


def test_every_product_reads_what_it_read_times_the_gains(one_input: Make, run: Make, strings: Strings) -> None:
    (stored, values), model = strings(3, COLS), one_input(["n", COLS])
    weight = weight_of(model.graph, stored)
    product = product_of(model.graph, model.x, weight)
    first = ir.node("MatMul", [model.x, weight])  # known to the weight as its second use
    model.graph.insert_before(product.producer(), first)
    product.producer().replace_input_with(0, first.outputs[0])
    expand_placeholders(ir.Model(model.graph, ir_version=10))
    x = np.random.default_rng(0).standard_normal((2, COLS)).astype(np.float32)
    (found,), executed = run(model.proto(product), x=x)
    np.testing.assert_allclose(found, x @ values.T @ values.T, rtol=1e-4, atol=1e-4 * np.abs(found).max())
    assert executed["Mul"] == 2


@WIDTHS
@pytest.mark.parametrize("shape", [(24, 64), (24, 16, 4), (7, 64)])
def test_a_folded_weight_is_exact(
    one_input: Make, run: Make, strings: Strings, bits: Bits, shape: tuple[int, ...]
) -> None:
    (stored, values), model = strings(bits, shape[0], shape), one_input(["n"])
    weight = folded(WeightReader(model.emitter, stored))
    proto = model.proto(model.emitter.op("Add", weight, model.emitter.op("ReduceSum", model.x)), len(shape))
    (found,), _ = run(proto, x=np.zeros(1, np.float32))
    assert np.array_equal(found.reshape(values.shape), values)


@WIDTHS
def test_files_are_read_back(one_input: Make, tmp_path: Path, strings: Strings, bits: Bits) -> None:
    (stored, values), model = strings(bits, 24), one_input(["n", COLS])
    product = product_of(model.graph, model.x, weight_of(model.graph, stored))
    expand_placeholders(ir.Model(model.graph, ir_version=10))
    onnx.save(model.proto(product), path := tmp_path / "model.onnx")
    mean = float(np.mean(bits))
    block = BlockRecord(0, 24, mean, "group:32", True, "trellis")
    layer = LayerRecord("layer", "linear", (24, COLS), mean, (block,), "gptq", 1.0, 0, "low-bit kernel")
    np.testing.assert_array_equal(read_weights([path], [layer])["layer"][0], values)


def test_gains_of_an_earlier_version_are_refused(one_input: Make, tmp_path: Path, strings: Strings) -> None:
    """They moved levels, and lay in columns."""
    (stored, _), model = strings(3, 24), one_input(["n", COLS])
    product = product_of(model.graph, model.x, weight_of(model.graph, stored))
    expand_placeholders(ir.Model(model.graph, ir_version=10))
    proto = model.proto(product)
    (gain,) = (tensor for tensor in proto.graph.initializer if tensor.name == "layer.0.gain")
    gain.dims.append(1)
    onnx.save(proto, path := tmp_path / "model.onnx")
    block = BlockRecord(0, 24, 3, "group:32", True, "trellis")
    layer = LayerRecord("layer", "linear", (24, COLS), 3.0, (block,), "gptq", 1.0, 0, "low-bit kernel")
    with pytest.raises(BundleError, match="the files lack block 0 of layer: gains are float32 \\(64, 1\\)") as error:
        read_weights([path], [layer])
    assert error.value.hint == "quantize again"


def test_weights_of_one_width_share_their_levels(one_input: Make, strings: Strings) -> None:
    model = one_input(["n", COLS])
    for name in ("a.0", "b.0"):
        product_of(model.graph, model.x, weight_of(model.graph, strings(2, 24)[0], name))
    expand_placeholders(ir.Model(model.graph, ir_version=10))
    stored_levels = [name for name in model.graph.initializers if name.startswith("trellis.levels")]
    assert stored_levels == ["trellis.levels2"]


def test_wide_strings_read_the_levels_of_narrower_ones(one_input: Make, strings: Strings) -> None:
    model = one_input(["n", COLS])
    product_of(model.graph, model.x, weight_of(model.graph, strings(MIXED, 24)[0]))
    expand_placeholders(ir.Model(model.graph, ir_version=10))
    stored_levels = [name for name in model.graph.initializers if name.startswith("trellis.levels")]
    assert stored_levels == [f"trellis.levels{bits}" for bits in (1, 2, 3, 4)]
