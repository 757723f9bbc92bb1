"""compute_sinusoids: the formula takes the table's place, and nothing else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir

from myqasr_fx.export.sinusoids import compute_sinusoids
from passes.numbers.sinusoids import sinusoids

Make = Callable[..., Any]


def test_a_table_becomes_its_formula(one_input: Make, run: Make) -> None:
    tables = {"exact": sinusoids(40, 8).numpy(), "other": sinusoids(40, 8).numpy() * np.float32(1.5)}
    model = one_input([40, 8])
    value = model.x
    for name, array in tables.items():
        value = model.emitter.op("Add", value, model.emitter.initializer(name, ir.Tensor(array)))
    before = {name: tensor.nbytes for name, tensor in tables.items()}
    compute_sinusoids(ir.Model(model.graph, ir_version=10))
    proto = model.proto(value, rank=2)
    sizes = {t.name: len(t.raw_data) for t in proto.graph.initializer}
    assert sizes["other"] == before["other"]
    assert sizes["exact"] == 4 * 4
    for exact in (True, False):
        (result,), executed = run(proto, exact=exact, x=np.zeros((40, 8), np.float32))
        np.testing.assert_allclose(result, tables["exact"] + tables["other"], rtol=0, atol=2.0**-22)
    assert executed["Sin"] == 0, "the runtime folds the formula when it loads the file"
