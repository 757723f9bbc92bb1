from __future__ import annotations

from pathlib import Path

import pytest

from myqasr_fx.personalize.ledger import Cell
from myqasr_fx.personalize.schemes import append_scheme, read_schemes, spread
from passes.numbers.scheme import BitScheme, Granularity, LayerScheme, RowBlock, WeightSpec


def test_widths_come_back(tmp_path: Path) -> None:
    blocks = tuple(RowBlock(i, i + 1, WeightSpec(bits, Granularity("tensor"), False)) for i, bits in enumerate((3, 4)))
    append_scheme(tmp_path / "s.csv", Cell("r", "avg=3", 2, 1, "a", "b"), BitScheme({"fc": LayerScheme("fc", blocks)}))
    assert read_schemes(tmp_path / "s.csv") == {("r", "avg=3", 2, 1, "a"): {"fc": 3.5}}


def test_spread_is_the_mean_difference_of_two_draws() -> None:
    assert spread([{"a": 3, "b": 4}, {"a": 4, "b": 4}, {"a": 3, "b": 4}]) == pytest.approx(1 / 3)
    assert spread([{"a": 3}]) == 0
