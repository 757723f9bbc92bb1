"""Widths of columns: the best of all that share a sum."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.errors import QuantizationError
from passes.numbers.column_widths import ERRORS, deal_widths, noise_of, palette
from passes.numbers.scheme import TRELLIS_BITS

COSTS = st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=5)


def total(costs: np.ndarray, widths: np.ndarray) -> float:
    return float((costs * noise_of(widths).astype(np.float64)).sum())


@settings(max_examples=80, deadline=None)
@given(costs=COSTS, data=st.data())
def test_no_other_widths_of_the_palette_do_less_damage(costs: list[float], data: st.DataObject) -> None:
    count, own = len(costs), np.array(costs)
    bits = data.draw(st.just(count) | st.integers(2 * count, 6 * count))
    found = deal_widths(own, bits)
    assert found.dtype == np.uint8 and int(found.sum()) == bits
    among = palette(bits // count)
    assert set(found.tolist()) <= set(among)
    every = (np.array(widths, np.uint8) for widths in product(among, repeat=count) if sum(widths) == bits)
    assert total(own, found) <= min(total(own, widths) for widths in every) * (1 + 1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.floats(1e-3, 1e3), bits=st.integers(2 * 64, 6 * 64))
def test_widths_follow_costs_and_not_their_unit(seed: int, factor: float, bits: int) -> None:
    costs = np.exp(np.random.default_rng(seed).normal(0, 2, 64))
    found = deal_widths(costs, bits)
    order = np.argsort(costs)
    assert (np.diff(found[order].astype(int)) >= 0).all()
    assert np.array_equal(deal_widths(costs * 2.0 ** round(np.log2(factor)), bits), found)


def test_equal_costs_and_none_share_evenly() -> None:
    for costs in (np.ones(8), np.zeros(8)):
        assert deal_widths(costs, 20).tolist() == [3, 3, 3, 3, 2, 2, 2, 2]
        assert deal_widths(costs, 24).tolist() == [3] * 8


def test_every_width_has_its_errors() -> None:
    assert sorted(ERRORS) == sorted(TRELLIS_BITS)
    saved = -np.diff([ERRORS[bits] for bits in sorted(ERRORS)])
    assert (saved > 0).all() and (np.diff(saved) < 0).all()  # each bit saves less than the one before
    assert noise_of(np.array([1, 6], np.uint8)).tolist() == pytest.approx([ERRORS[1], ERRORS[6]])


@pytest.mark.parametrize("bits", [3, 5, 7, 25])
def test_sums_that_no_widths_have_are_refused(bits: int) -> None:
    with pytest.raises(QuantizationError, match=f"{bits} bits for 4 columns, expected 1 each or 2 to 6"):
        deal_widths(np.ones(4), bits)
