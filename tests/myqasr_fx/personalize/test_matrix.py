from __future__ import annotations

import pytest

from myqasr_fx.personalize.controls import NOISE, OTHERS
from myqasr_fx.personalize.ledger import FULL
from myqasr_fx.personalize.matrix import make_matrix, methods

METHOD = ("r", "avg=3", 2)


def test_rates_by_calibration_and_test(rows) -> None:
    raw = rows("", {"a": [0, 1], "b": [0, 0]}) + rows("b", {"a": [2, 4], "b": [1, 0]}) + rows("a", {"a": [1, 0]})
    raw += rows(OTHERS, {"a": [3, 3]}) + rows(NOISE, {"b": [9, 9]}) + rows("a", {"a": [9, 9]}, recipe="other")
    assert methods(raw) == (METHOD, ("other", "avg=3", 2))
    matrix = make_matrix(raw, METHOD, "wer")
    assert (matrix.calibrations, matrix.tests) == ((FULL, NOISE, OTHERS, "a", "b"), ("a", "b"))
    values = {place: score.value for place, score in matrix.scores.items()}
    assert values["b", "a"] == pytest.approx(0.3)
    assert values["a", "a"] == pytest.approx(0.05)
    assert values[FULL, "b"] == 0
    assert ("a", "b") not in values


def test_accuracy_counts_utterances(rows) -> None:
    score = make_matrix(rows("a", {"a": [0, 3, 0, 1]}), METHOD, "accuracy").scores["a", "a"]
    assert score.value == 0.5
    assert score.interval.low < 0.5 < score.interval.high


def test_seeds_of_an_utterance_are_no_independent_samples(rows) -> None:
    once = rows("a", {"a": [0, 3, 0, 1]})
    thrice = [row for seed in range(3) for row in rows("a", {"a": [0, 3, 0, 1]}, seed=seed)]
    one, three = (make_matrix(raw, METHOD, "wer").scores["a", "a"] for raw in (once, thrice))
    assert (one.value, one.interval) == (three.value, three.interval)
    assert (one.utterances, three.utterances) == (4, 12)
