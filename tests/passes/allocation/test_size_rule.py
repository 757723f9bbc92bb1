"""Prices of widths."""

from __future__ import annotations

import pytest

from passes.allocation.size_rule import FileSize, Item, PaperSize
from passes.errors import AllocationError

ITEM = Item("fc1", "fc1", 0, 8, 3)


def test_paper_counts_weight_bits_and_nothing_else() -> None:
    rule = PaperSize()
    other = Item("fc2", "fc2", 0, 5, 5)
    assert rule.ladder == tuple(range(32, 0, -1))
    assert rule.size([ITEM, other], {"fc1": 3, "fc2": 7}) == 24 * 3 / 8 + 25 * 7 / 8


def test_file_counts_its_table_and_the_rest() -> None:
    rule = FileSize({"fc1": {8: 30, 4: 17}}, 1000)
    assert rule.ladder == (32, 16, 8, 7, 6, 5, 4, 3, 2, 1)
    assert rule.size([ITEM], {"fc1": 4}) == 1017
    with pytest.raises(AllocationError, match="at 5 bits"):
        rule.bytes_of(ITEM, 5)
    with pytest.raises(AllocationError, match="no such item"):
        rule.bytes_of(Item("fc2", "fc2", 0, 1, 1), 5)


def test_widths_off_the_ladder_are_refused_with_the_nearest() -> None:
    rule = FileSize({})
    for bits, nearest in ((9, 8), (12, 8), (13, 16), (20, 16), (27, 32)):
        with pytest.raises(AllocationError, match=f"nearest choice is {nearest}"):
            rule.check_width(bits, "fc1")
    PaperSize().check_width(9, "fc1")


def test_items_are_checked() -> None:
    with pytest.raises(AllocationError, match="0 rows"):
        Item("fc1", "fc1", 0, 0, 3)
    with pytest.raises(AllocationError, match="NaN"):
        Item("fc1", "fc1", 0, 1, 3, float("nan"))
