"""finish: float16 storage that loses nothing, and small, clean graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir

from myqasr_fx.export.emitter import Emitter
from myqasr_fx.export.finish import store_half, tidy

Make = Callable[..., Any]
HALVES = np.linspace(-4, 4, 64, dtype=np.float16).astype(np.float32)


def added(one_input: Make, **tensors: np.ndarray) -> tuple[Any, ir.Value]:
    model = one_input([64])
    value = model.x
    for name, array in tensors.items():
        value = model.emitter.op("Add", value, model.emitter.initializer(name, ir.Tensor(array)))
    return model, value


def types(proto: Any) -> dict[str, int]:
    return {t.name: t.data_type for t in proto.graph.initializer}


def test_only_exact_halves_of_some_size_are_stored_as_float16(one_input: Make, run: Make) -> None:
    model, value = added(
        one_input,
        half=HALVES,
        fine=HALVES + np.float32(1e-6),
        huge=HALVES * np.float32(1e5),
        small=HALVES[:1],
        kept=HALVES,
        integers=np.arange(64, dtype=np.float32),
    )
    expected = HALVES * np.float32(1e5) + HALVES + (HALVES + np.float32(1e-6)) + HALVES[:1] + HALVES + np.arange(64)
    store_half(ir.Model(model.graph, ir_version=10), frozenset({"kept"}))
    proto = model.proto(value, rank=1)
    assert {name for name, kind in types(proto).items() if kind == ir.DataType.FLOAT16} == {"half", "integers"}
    for exact in (True, False):
        (result,), executed = run(proto, exact=exact, x=np.zeros(64, np.float32))
        np.testing.assert_allclose(result, expected, rtol=1e-6)
    assert executed["Cast"] == 0


def test_tables_are_cast_after_the_lookup(one_input: Make, run: Make) -> None:
    table = np.arange(160, dtype=np.float32).reshape(40, 4)
    model = one_input(["n"], ir.DataType.INT64)
    stored = model.emitter.initializer("table", ir.Tensor(table))
    found = model.emitter.op("Gather", stored, model.x, axis=0)
    total = model.emitter.op("Add", found, model.emitter.op("ReduceSum", stored, model.emitter.integers(0), keepdims=1))
    store_half(ir.Model(model.graph, ir_version=10))
    proto = model.proto(total)
    assert types(proto)["table"] == ir.DataType.FLOAT16
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("Cast") == 2 and kinds.index("Gather") < len(kinds) - 1
    (gather,) = [node for node in proto.graph.node if node.op_type == "Gather"]
    assert gather.input[0] == "table"
    (result,), _ = run(proto, x=np.array([3, 0]))
    assert np.array_equal(result, table[[3, 0]] + table.sum(0))


def test_tidy_drops_what_nothing_needs(one_input: Make) -> None:
    model, value = added(one_input, half=HALVES)
    emitter: Emitter = model.emitter
    emitter.op("Neg", value)  # unused
    twice = emitter.op("Add", emitter.op("Abs", value), emitter.op("Abs", value))
    twice.metadata_props["source"] = "somewhere"
    twice.producer().metadata_props["source"] = "somewhere"
    value.shape = ir.Shape([64])
    emitter.graph.initializers["half"].metadata_props["source"] = "somewhere"
    result = emitter.op("Neg", twice)
    result.name, result.type, result.shape = "y", ir.TensorType(ir.DataType.FLOAT), ir.Shape([64])
    model.graph.outputs.append(result)
    ir_model = tidy(ir.Model(model.graph, ir_version=10))
    proto = ir.serde.serialize_model(ir_model)
    assert [node.op_type for node in proto.graph.node] == ["Add", "Abs", "Add", "Neg"]
    assert not proto.graph.value_info and not any(node.metadata_props or node.name for node in proto.graph.node)
    assert [node.output[0] for node in proto.graph.node] == ["v0", "v1", "v2", "y"]
    assert (proto.producer_name, proto.graph.name) == ("myqasr_fx", "main")
