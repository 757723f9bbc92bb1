"""What some clips tell about the rows that others need."""

from __future__ import annotations

import math

import numpy as np
import pytest
from vocabulary import EVEN, Blocks, VocabularyRow, foretold, table

THREE = Blocks([0, 1, 2], np.ones(3))


def test_the_own_shares_foretell_best_and_an_even_spread_is_as_good_as_none() -> None:
    seen = np.array([6.0, 3.0, 1.0])
    losses = [foretold(seen, seen, THREE, part) for part in EVEN]
    assert losses == sorted(losses, reverse=True)
    assert foretold(seen, np.array([1.0, 1.0, 1.0]), THREE, 1.0) == pytest.approx(-math.log(3))


def test_what_was_never_seen_needs_a_part_that_is_even() -> None:
    seen, others = np.array([9.0, 1.0, 0.0]), np.array([8.0, 1.0, 1.0])
    losses = {part: foretold(seen, others, THREE, part) for part in EVEN}
    assert max(losses, key=losses.__getitem__) == 0.2


def test_the_table_tells_what_is_lost_beside_the_best_part() -> None:
    rows = [VocabularyRow(8, 100.0, part, False, -2.0 - part, -1.0 + part) for part in EVEN]
    assert table(rows).splitlines()[2].startswith("| 8 | 100 | 0.000, 0.497 |")


def test_a_line_of_ranks_foretells_what_a_few_clips_missed() -> None:
    starts = list(range(0, 1000, 100))
    truth = np.array([500.0, *(100 / (start + 50) for start in starts[1:])])
    seen = truth * np.array([1, 3, 0.3, 2, 0.5, 1.5, 0.4, 2.5, 0.6, 1])
    blocks = Blocks(starts, np.full(10, 100))
    assert foretold(seen, truth, blocks, 0.0) < foretold(seen, truth, blocks, 0.0, ranked=True)
