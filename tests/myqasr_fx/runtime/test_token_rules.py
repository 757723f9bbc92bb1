"""Whisper's rules for times, on scores of a vocabulary of ten texts, an end and sixty times."""

import numpy as np
import pytest

from myqasr_fx.errors import ModelError
from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.runtime.token_rules import TokenRules

END, START, PREVIOUS, UNTIMED, ZERO, SIZE = 10, 11, 12, 13, 14, 74
SETTINGS = GenerationSettings(
    decoder_start_token_id=START,
    eos_token_id=END,
    no_timestamps_token_id=UNTIMED,
    prev_sot_token_id=PREVIOUS,
    max_length=20,
    is_multilingual=False,
    suppress_tokens=(3, START, PREVIOUS),
    begin_suppress_tokens=(END,),
)


def allowed(text: list[int], likely: int = 5) -> set[int]:
    """What may follow a text, where one token is far likelier than all times together."""
    scores = np.zeros((1, SIZE), np.float32)
    scores[0, likely] = 20
    TokenRules(SETTINGS, timestamps=True).apply(scores, [text])
    return set(np.flatnonzero(scores[0] > -np.inf).tolist())


TEXT = set(range(10)) - {3}
TIMES = set(range(ZERO, SIZE))


def test_a_text_begins_with_a_time_within_a_second() -> None:
    assert allowed([]) == set(range(ZERO, ZERO + 51))


def test_behind_the_first_time_stands_a_text_or_the_end() -> None:
    assert allowed([ZERO]) == TEXT | {END}


def test_no_time_goes_back_and_a_part_has_a_length() -> None:
    assert allowed([ZERO + 7, 1]) == TEXT | {END} | set(range(ZERO + 8, SIZE))


def test_a_time_that_closes_is_followed_by_one_that_opens_or_the_end() -> None:
    assert allowed([ZERO, 1, ZERO + 9], likely=END) == {END} | set(range(ZERO + 9, SIZE))
    assert allowed([ZERO, 1, ZERO + 9, ZERO + 9]) == TEXT | {END}


def test_times_are_written_where_together_they_are_likelier_than_any_text() -> None:
    scores = np.zeros((1, SIZE), np.float32)
    scores[0, 5] = 3.8
    TokenRules(SETTINGS, timestamps=True).apply(scores, [[ZERO, 1]])
    assert set(np.flatnonzero(scores[0] > -np.inf)) == TIMES - {ZERO}  # 59 times: log(59) = 4.08
    assert allowed([ZERO, 1], likely=5) >= TEXT


def test_without_times_only_what_is_suppressed_is_not_written() -> None:
    for text, missing in (([], {3, END, START, PREVIOUS}), ([1], {3, START, PREVIOUS})):
        scores = np.zeros((2, SIZE), np.float32)
        TokenRules(SETTINGS).apply(scores, [text, text])
        assert all(set(np.flatnonzero(row == -np.inf)) == missing for row in scores)


def test_a_vocabulary_without_times_is_told() -> None:
    with pytest.raises(ModelError, match="the model has no tokens for times"):
        TokenRules(SETTINGS, timestamps=True).apply(np.zeros((1, ZERO), np.float32), [[]])
