"""string_rows: exact rows of any blocks, by as many operators however many blocks there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from myqasr_fx.errors import ExportError
from myqasr_fx.export.stored_weight import StoredWeight, WeightReader
from myqasr_fx.export.string_rows import string_rows
from passes.numbers.scheme import TRELLIS_BITS

Make = Callable[..., Any]
Strings = Callable[..., tuple[StoredWeight, np.ndarray]]
Bits = int | tuple[int, ...]
MIXED, OTHERS = (*[1, 2, 2, 3] * 4, *[3, 6, 4, 5] * 12), (*[6, 5] * 20, *[2, 3] * 12)
"""Widths of columns."""


def lookup(model: Any, stored: Sequence[StoredWeight]) -> Any:
    """The model that looks up rows at the input."""
    readers = [WeightReader(model.emitter, replace(each, name=f"layer.{i}")) for i, each in enumerate(stored)]
    indices = model.emitter.cast(model.x, ir.DataType.INT64)
    return model.proto(string_rows(readers, indices), 1 + len(model.x.shape))


@pytest.mark.parametrize("bits", [*TRELLIS_BITS, pytest.param(MIXED, id="mixed")])
@pytest.mark.parametrize("height", [1, 24, 77, 1850])
def test_any_row_of_one_block_is_exact(one_input: Make, run: Make, strings: Strings, bits: Bits, height: int) -> None:
    stored, values = strings(bits, height)
    asked = [0, height - 1, height // 2, height // 3]
    (found,), _ = run(lookup(one_input(["n"]), [stored]), x=np.array(asked, np.float32))
    assert np.array_equal(found, values[asked])


@pytest.mark.parametrize("exact", [True, False])
def test_any_row_of_several_blocks_is_exact(one_input: Make, run: Make, strings: Strings, exact: bool) -> None:
    blocks = [(MIXED, 24), (3, 16), (OTHERS, 7), (MIXED, 1), (6, 40), (1, 33)]
    stored, values = zip(*(strings(bits, height) for bits, height in blocks), strict=True)
    expected, count = np.concatenate(values), sum(height for _, height in blocks)
    asked = np.arange(count).reshape(11, -1)
    (found,), _ = run(lookup(one_input([11, "n"]), stored), exact=exact, x=asked.astype(np.float32))
    assert np.array_equal(found, expected[asked])


def test_blocks_add_no_operators_to_a_loaded_file(one_input: Make, run: Make, strings: Strings) -> None:
    counts = []
    for heights in ([24, 16], [24, 16, 32, 8, 24, 16, 40, 8]):
        stored = [strings(MIXED if i % 2 else OTHERS, height)[0] for i, height in enumerate(heights)]
        _, executed = run(lookup(one_input(["n"]), stored), exact=False, x=np.zeros(1, np.float32))
        counts.append(executed)
    assert counts[0] == counts[1] and sum(counts[0].values()) <= 40


def test_scales_on_and_off_the_grid_are_refused(one_input: Make, strings: Strings) -> None:
    on, off = strings(3, 24)[0], strings(3, 16)[0]
    off = replace(off, scale=off.scale * np.float16(1.01))
    with pytest.raises(ExportError, match=r"layer\.0: scales that are not on the grid"):
        lookup(one_input(["n"]), [on, off])


def test_affine_codes_are_refused(one_input: Make, make_case: Make) -> None:
    with pytest.raises(ExportError, match="w4: no strings"):
        WeightReader(one_input(["n"]).emitter, make_case(4, True).weight).trellis()
