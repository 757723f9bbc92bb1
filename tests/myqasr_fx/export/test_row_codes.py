"""store_rows: tables of 8-bit rows are stored as such, looked up as such, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import torch

from myqasr_fx.export.categories import bytes_by_category
from myqasr_fx.export.read_weights import read_floats
from myqasr_fx.export.row_codes import CODES, SCALES, store_rows
from passes.numbers.row_codes import LEAST, RowCodes

Make = Callable[..., Any]
D = 32
N = LEAST // D
VALUES = torch.randn(N, D, generator=torch.Generator().manual_seed(0))
CODED = RowCodes.of(VALUES).values().numpy()


def test_coded_tables_are_stored_in_a_byte_a_number(one_input: Make, run: Make, tmp_path: Any) -> None:
    model = one_input([N, D])
    value = model.x
    for name, array in {"coded": CODED, "other": VALUES.numpy(), "kept": CODED}.items():
        value = model.emitter.op("Add", value, model.emitter.initializer(name, ir.Tensor(array)))
    store_rows(ir.Model(model.graph, ir_version=10), frozenset({"kept"}))
    proto = model.proto(value, rank=2)
    sizes = {t.name: len(t.raw_data) for t in proto.graph.initializer}
    assert sizes == {f"coded{CODES}": N * D, f"coded{SCALES}": 4 * N, "other": 4 * N * D, "kept": 4 * N * D}
    for exact in (True, False):
        (result,), executed = run(proto, exact=exact, x=np.zeros((N, D), np.float32))
        np.testing.assert_array_equal(result, CODED + VALUES.numpy() + CODED)
    assert executed["Cast"] == executed["Mul"] == 0, "the runtime folds the product when it loads the file"
    onnx.save(proto, tmp_path / "m.onnx")
    np.testing.assert_array_equal(read_floats([tmp_path / "m.onnx"], {"coded"})["coded"], CODED)
    found = bytes_by_category([tmp_path / "m.onnx"], ["layer"])["m.onnx"]
    assert found["norms, biases, positions"] == 2 * 4 * N * D + N * D + 4 * N


def test_looked_up_rows_are_multiplied_behind_the_lookup(one_input: Make, run: Make) -> None:
    model = one_input(["n"], ir.DataType.INT64)
    stored = model.emitter.initializer("table", ir.Tensor(CODED))
    found = model.emitter.op("Neg", model.emitter.op("Gather", stored, model.x, axis=0))
    store_rows(ir.Model(model.graph, ir_version=10))
    proto = model.proto(found, rank=2)
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("Gather") == 2 and kinds[-2] == "Mul"
    index = np.array([5, 0, N - 1, 5])
    (result,), _ = run(proto, x=index)
    np.testing.assert_array_equal(result, -CODED[index])
