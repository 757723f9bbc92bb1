"""Beam search on decoders whose scores depend on the last two tokens alone."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.runtime.beams import beam_decode
from myqasr_fx.runtime.greedy import greedy_decode
from myqasr_fx.runtime.token_rules import TokenRules

END, SIZE, LENGTH = 3, 6, 5
SETTINGS = GenerationSettings(
    decoder_start_token_id=4,
    eos_token_id=END,
    no_timestamps_token_id=5,
    prev_sot_token_id=4,
    max_length=LENGTH + 2,
    is_multilingual=False,
    suppress_tokens=(4, 5),
)
RULES = TokenRules(SETTINGS)


class Table:
    """A decoder that looks up what follows two tokens, and is told whose text each row holds.

    Args:
        tables: (B, vocabulary, vocabulary, vocabulary), of each clip.
    """

    def __init__(self, tables: np.ndarray) -> None:
        self.tables = tables
        self.seen = [[0] for _ in tables]
        self.reordered = 0

    def step(self, tokens: np.ndarray) -> np.ndarray:
        for row, added in enumerate(tokens.tolist()):
            self.seen[row] += added
        last = [table[row[-2], row[-1]] for table, row in zip(self.tables, self.seen, strict=True)]
        return np.repeat(np.stack(last)[:, None], tokens.shape[1], axis=1)

    def keep(self, rows: np.ndarray) -> None:
        self.tables = self.tables[rows]
        self.seen = [list(self.seen[row]) for row in rows]

    def reorder(self, rows: np.ndarray) -> None:
        assert len(rows) == len(self.seen)
        assert np.array_equal(self.tables[rows], self.tables)  # of the same clips
        self.reordered += 1
        self.seen = [list(self.seen[row]) for row in rows]


def tables(seed: int, clips: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (clips, SIZE, SIZE, SIZE)).astype(np.float32)


def prompt(clips: int = 1) -> np.ndarray:
    return np.array([[4, 5]] * clips, np.int64)


def mean_log_probability(table: np.ndarray, text: tuple[int, ...]) -> float:
    total, before = 0.0, [4, 5]
    for token in (*text, END):
        scores = table[before[-2], before[-1]].copy()
        scores[[4, 5]] = -np.inf
        total += scores[token] - np.log(np.exp(scores).sum())
        before.append(token)
    return total / (len(text) + 1)


@pytest.mark.parametrize("seed", range(6))
def test_beams_that_hold_every_text_find_the_best(seed: int) -> None:
    (table,) = tables(seed)
    texts = [text for length in range(LENGTH) for text in product(range(3), repeat=length)]
    best = max(texts, key=lambda text: mean_log_probability(table, text))
    (written,) = beam_decode(Table(table[None]), prompt(), SETTINGS, RULES, beams=3**LENGTH)
    assert written.tokens == best
    assert written.log_probability == pytest.approx(mean_log_probability(table, best), abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_one_beam_is_greedy(seed: int) -> None:
    given = tables(seed, 3)
    alone = greedy_decode(Table(given), prompt(3), SETTINGS)
    for one, other in zip(beam_decode(Table(given), prompt(3), SETTINGS, RULES, beams=1), alone, strict=True):
        assert one.tokens == other.tokens
        if len(one.tokens) < LENGTH:
            assert one.log_probability == pytest.approx(other.log_probability, abs=1e-5)


def test_clips_do_not_touch_each_other() -> None:
    given = tables(1, 5)
    state = Table(given)
    together = beam_decode(state, prompt(5), SETTINGS, RULES, beams=2)
    alone = [beam_decode(Table(given[row : row + 1]), prompt(), SETTINGS, RULES, beams=2)[0] for row in range(5)]
    assert [one.tokens for one in together] == [one.tokens for one in alone]
    assert state.reordered > 0
    assert len({len(one.tokens) for one in together}) > 1  # some end earlier


def test_more_beams_are_never_told_more_than_the_vocabulary_holds() -> None:
    (written,) = beam_decode(Table(tables(2)), prompt(), SETTINGS, RULES, beams=64)
    assert all(token in range(3) for token in written.tokens)


def test_a_clip_with_nothing_left_but_its_end_ends() -> None:
    """Its other beams have no token to go on with, while another clip goes on."""
    given = tables(1, 2)
    given[0] = -np.inf
    given[0, ..., END] = 0.0
    alone = beam_decode(Table(given[1:]), prompt(), SETTINGS, RULES, beams=3)
    together = beam_decode(Table(given), prompt(2), SETTINGS, RULES, beams=3)
    assert [one.tokens for one in together] == [(), alone[0].tokens]
    assert together[0].log_probability == 0.0
