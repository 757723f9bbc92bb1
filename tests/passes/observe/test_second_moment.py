"""Sums of outer products of rows, of whose blocks the upper ones are computed."""

from __future__ import annotations

import pytest
import torch

from passes.observe.second_moment import BLOCK, upper_moment, whole_moment


@pytest.mark.parametrize("cols", [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 88])
def test_is_the_product_and_symmetric(cols: int) -> None:
    rows = torch.randn(2, 40, cols, generator=torch.Generator().manual_seed(cols), dtype=torch.float64)
    total = upper_moment(rows[0])
    assert upper_moment(rows[1], into=total) is total
    found = whole_moment(total.clone())
    torch.testing.assert_close(found, rows[0].T @ rows[0] + rows[1].T @ rows[1])
    torch.testing.assert_close(found, found.T)


def test_a_whole_sum_can_be_gone_on_with() -> None:
    rows = torch.randn(30, BLOCK + 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    total = whole_moment(upper_moment(rows))
    torch.testing.assert_close(whole_moment(upper_moment(rows, into=total)), 2 * rows.T @ rows)


def test_no_rows_are_zero() -> None:
    assert not whole_moment(upper_moment(torch.empty(0, 3))).any()
