"""What some clips tell about the rows that others need."""

from __future__ import annotations

import math

import numpy as np
import pytest
from vocabulary import EVEN, VocabularyRow, foretold, table


def test_the_own_shares_foretell_best_and_an_even_spread_is_as_good_as_none() -> None:
    seen, even = np.array([6.0, 3.0, 1.0]), np.full(3, 1 / 3)
    losses = [foretold(seen, seen, even, part) for part in EVEN]
    assert losses == sorted(losses, reverse=True)
    assert foretold(seen, np.array([1.0, 1.0, 1.0]), even, 1.0) == pytest.approx(-math.log(3))


def test_what_was_never_seen_needs_a_part_that_is_even() -> None:
    seen, others, even = np.array([9.0, 1.0, 0.0]), np.array([8.0, 1.0, 1.0]), np.full(3, 1 / 3)
    losses = {part: foretold(seen, others, even, part) for part in EVEN}
    assert max(losses, key=losses.__getitem__) == 0.2


def test_the_table_tells_what_is_lost_beside_the_best_part() -> None:
    rows = [VocabularyRow(8, 100.0, part, -2.0 - part, -1.0 + part) for part in EVEN]
    assert table(rows).splitlines()[2].startswith("| 8 | 100 | 0.000, 0.497 |")
