"""read_weights: what a file holds, in every stored form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from myqasr_fx.bundle.bundle import BlockRecord, LayerRecord
from myqasr_fx.errors import BundleError
from myqasr_fx.export.dequantize import folded, grouped
from myqasr_fx.export.read_weights import read_weights
from myqasr_fx.export.stored_weight import WeightReader

Make = Callable[..., Any]


def record(name: str, shape: tuple[int, ...], bits: int, symmetric: bool) -> LayerRecord:
    blocks = (BlockRecord(0, shape[0], bits, "group:16", symmetric),)
    return LayerRecord(name, "linear", shape, float(bits), blocks, "rtn", 1.0, 0, "low-bit kernel")


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("form", [grouped, folded])
def test_every_stored_form(
    make_case: Make, one_input: Make, tmp_path: Path, bits: int, symmetric: bool, form: Make
) -> None:
    case, model = make_case(bits, symmetric, plain=form is folded), one_input(["n", 64 if form is grouped else 24])
    object.__setattr__(case.weight, "name", "layer.0")
    product = model.emitter.op("MatMul", model.x, form(WeightReader(model.emitter, case.weight)))
    onnx.save(model.proto(product), path := tmp_path / "model.onnx")
    found = read_weights([path], [record("layer", (24, 64), bits, symmetric)])
    np.testing.assert_array_equal(found["layer"][0], case.values)


def test_a_missing_block_is_refused(one_input: Make, tmp_path: Path) -> None:
    model = one_input(["n"])
    onnx.save(model.proto(model.emitter.op("Neg", model.x), 1), path := tmp_path / "model.onnx")
    with pytest.raises(BundleError, match="lack block 0 of layer"):
        read_weights([path], [record("layer", (24, 64), 4, False)])
