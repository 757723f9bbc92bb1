"""Texts that are drawn again, from a decoder that says the same whatever it said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.runtime.decoding import DOUBTFUL, GREEDY, Decoding
from myqasr_fx.runtime.fallback import decode
from myqasr_fx.runtime.greedy import Written

END = 7
SETTINGS = GenerationSettings(
    decoder_start_token_id=8,
    eos_token_id=END,
    no_timestamps_token_id=9,
    prev_sot_token_id=8,
    max_length=9,
    is_multilingual=False,
)
SCORES = np.array([3, 2, 2, 1, 1, 1, 1, 1.5, -9, -9], np.float32)
HOT = Decoding(redraws=DOUBTFUL)


class Same:
    """A decoder of so many rows."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def step(self, tokens: np.ndarray) -> np.ndarray:
        assert len(tokens) == self.rows
        return np.tile(SCORES, (*tokens.shape, 1))

    def keep(self, rows: np.ndarray) -> None:
        self.rows = len(rows)

    def reorder(self, rows: np.ndarray) -> None:
        raise AssertionError("no beams")


def found(doubts: object, decoding: Decoding = HOT, rows: int = 1) -> tuple[list[Written], list[int]]:
    started: list[int] = []

    def start(kept: Sequence[int]) -> Same:
        started.append(len(kept))
        return Same(len(kept))

    prompt = np.array([[8, 9]] * rows, np.int64)
    return decode(start, prompt, SETTINGS, decoding, doubts), started  # type: ignore[arg-type]


def test_what_is_not_doubtful_is_not_drawn() -> None:
    (written,), started = found(lambda text: False)
    assert (written.tokens, written.temperature, started) == ((0,) * 7, 0.0, [1])


def test_nothing_is_drawn_unless_it_is_asked_for() -> None:
    (written,), started = found(lambda text: True, GREEDY)
    assert (written.temperature, started) == (0.0, [1])


def test_a_doubtful_text_is_drawn_until_one_is_not() -> None:
    (written,), started = found(lambda text: text.temperature < 0.6)
    assert (written.temperature, started) == (0.6, [1, 1, 1, 1])
    assert written.tokens != (0,) * 7


def test_the_likeliest_is_kept_where_all_are_doubtful() -> None:
    seen: list[Written] = []
    (written,), started = found(lambda text: seen.append(text) or True)
    assert len(started) == 6
    assert written.log_probability == max(text.log_probability for text in seen)


def test_draws_are_the_same_each_time_and_beside_others() -> None:
    (alone,), _ = found(lambda text: text.temperature < 1.0)
    (again,), _ = found(lambda text: text.temperature < 1.0)
    assert alone == again
    together, started = found(lambda text: text.temperature < 1.0, rows=3)
    assert together == [alone] * 3 and started == [3] * 6
    (other,), _ = found(lambda text: text.temperature < 1.0, Decoding(redraws=DOUBTFUL, seed=1))
    assert other.tokens != alone.tokens


def test_draws_follow_the_probabilities() -> None:
    decoding = [Decoding(redraws=DOUBTFUL, temperatures=(1.0,), seed=seed) for seed in range(400)]
    first = [found(lambda text: text.temperature == 0, each)[0][0].tokens[:1] for each in decoding]
    share = np.exp(SCORES - SCORES.max())
    expected = share / share.sum()
    assert abs(first.count((0,)) / 400 - expected[0]) < 0.08
    assert abs(first.count((1,)) / 400 - expected[1]) < 0.08
