from __future__ import annotations

import numpy as np
import pytest

from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.runtime import greedy_decode

END = 9


def settings(**changes) -> GenerationSettings:
    values = {"decoder_start_token_id": 8, "eos_token_id": END, "no_timestamps_token_id": 7, "prev_sot_token_id": 6}
    values |= {"max_length": 12, "is_multilingual": False}
    return GenerationSettings(**(values | changes))


def texts(state: Script, prompt: np.ndarray, **changes) -> list[tuple[int, ...]]:
    return [written.tokens for written in greedy_decode(state, prompt, settings(**changes))]


class Script:
    """A decoder that prefers, in every row, the tokens of a script one after the other."""

    def __init__(self, *texts: list[int]) -> None:
        self.texts = list(texts)
        self.position = 0
        self.batches: list[int] = []
        self.seen: list[list[int]] = [[] for _ in texts]

    def step(self, tokens: np.ndarray) -> np.ndarray:
        self.batches.append(len(tokens))
        scores = np.zeros((*tokens.shape, 10), np.float32)
        for row, text in enumerate(self.texts):
            self.seen[row].extend(tokens[row].tolist())
            scores[row, -1, text[self.position]] = 2
            scores[row, -1, 0] = 1  # second best
        self.position += 1
        return scores

    def keep(self, rows: np.ndarray) -> None:
        self.texts = [self.texts[row] for row in rows]
        self.seen = [self.seen[row] for row in rows]


def prompt(batch: int) -> np.ndarray:
    return np.array([[8, 7]] * batch, np.int64)


def test_rows_end_on_their_own_and_leave_the_batch():
    state = Script([1, END], [2, 3, 4, END], [END])
    assert texts(state, prompt(3)) == [(1,), (2, 3, 4), ()]
    assert state.batches == [3, 2, 1, 1]


def test_the_decoder_sees_prompt_and_then_its_own_tokens():
    state = Script([1, 2, END])
    greedy_decode(state, prompt(1), settings())
    assert state.seen == [[8, 7, 1, 2]]


def test_longest_text_includes_the_prompt():
    (text,) = texts(Script([1] * 20), prompt(1), max_length=6)
    assert text == (1, 1, 1, 1)


def test_suppressed_tokens_are_never_written():
    (text,) = texts(Script([1, 2, 1, END]), prompt(1), suppress_tokens=(1,))
    assert text == (0, 2, 0)


def test_begin_suppressed_tokens_are_only_kept_from_the_start():
    state = Script([END, END])
    assert texts(state, prompt(1), begin_suppress_tokens=(END,)) == [(0,)]


def test_log_probability_is_the_mean_with_the_end():
    written, other = greedy_decode(Script([1, 2, END], [END]), prompt(2), settings())
    step = 2 - np.log(np.exp(2) + np.exp(1) + 8)  # of ten logits: 2, 1 and eight zeros
    assert written.log_probability == pytest.approx(step, abs=1e-6)
    assert other.log_probability == pytest.approx(step, abs=1e-6)


def test_suppressed_tokens_have_no_share_of_the_probability():
    (written,) = greedy_decode(Script([END]), prompt(1), settings(suppress_tokens=(0, 1, 2, 3)))
    assert written.log_probability == pytest.approx(2 - np.log(np.exp(2) + 5), abs=1e-6)


def test_no_speech_is_read_where_the_transcript_starts():
    class Says(Script):
        def step(self, tokens: np.ndarray) -> np.ndarray:
            scores = super().step(tokens)
            if self.position == 1:
                scores[:, 0, 6] = [3, -3]
            return scores

    ids = {"prev_sot_token_id": 5, "no_timestamps_token_id": 7}
    sure, unsure = greedy_decode(Says([1, END], [2, END]), prompt(2), settings(**ids))
    assert (sure.no_speech, unsure.no_speech) == pytest.approx(
        (np.exp(3) / (np.exp(3) + 9), np.exp(-3) / (np.exp(-3) + 9))
    )
    (without,) = greedy_decode(Script([END]), prompt(1), settings())
    assert without.no_speech is None
