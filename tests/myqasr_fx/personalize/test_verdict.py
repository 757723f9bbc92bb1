from __future__ import annotations

import pytest

from myqasr_fx.personalize.draw import NOISE, OTHERS
from myqasr_fx.personalize.verdict import FOREIGN, judge

NAMES = "abcdef"
METHOD = ("r", "avg=3", 2)


def diagonal(rows, errors: int) -> list:
    return [row for name in NAMES for row in rows(name, {name: [errors] * 4})]


def test_a_gain_everywhere_helps(rows) -> None:
    raw = diagonal(rows, 1) + rows(OTHERS, {name: [2, 2, 2, 3] for name in NAMES})
    verdict = judge(raw, (METHOD,), OTHERS, "wer")
    assert (verdict.answer, verdict.better, verdict.worse, verdict.ties) == ("helps", 6, 0, 0)
    assert verdict.difference == pytest.approx(-0.125)
    assert verdict.interval.low < -0.125 < verdict.interval.high < 0
    assert verdict.p_value == pytest.approx(1 / 64)


def test_a_loss_everywhere_harms_and_a_tie_shows_nothing(rows) -> None:
    raw = diagonal(rows, 1) + rows(OTHERS, {name: [0] * 4 for name in NAMES})
    assert judge(raw, (METHOD,), OTHERS, "wer").answer == "harms"
    raw = diagonal(rows, 1) + rows(NOISE, {name: [1] * 4 for name in NAMES})
    verdict = judge(raw, (METHOD,), NOISE, "wer")
    assert (verdict.answer, verdict.ties, verdict.p_value) == ("not shown", 6, 1)


def test_four_of_six_cells_do_not_suffice(rows) -> None:
    control = {name: [9] * 4 if name in "abcd" else [0] * 4 for name in NAMES}
    verdict = judge(diagonal(rows, 1) + rows(OTHERS, control), (METHOD,), OTHERS, "wer")
    assert (verdict.answer, verdict.better, verdict.worse) == ("not shown", 4, 2)


def test_other_groups_are_averaged(rows) -> None:
    raw = rows("a", {"a": [0, 0], "b": [2, 2]}) + rows("b", {"a": [2, 4], "b": [1, 1]}) + rows("c", {"a": [0, 0]})
    verdict = judge(raw, (METHOD,), FOREIGN, "wer")
    assert verdict.matched == pytest.approx(2 / 40)
    assert verdict.other == pytest.approx((1 + 2 + 2 + 2) / 40)


def test_methods_pool_and_accuracy_counts_utterances(rows) -> None:
    raw = []
    for recipe, errors in (("r", 0), ("s", 2)):
        raw += rows("a", {"a": [errors, 0]}, recipe) + rows(OTHERS, {"a": [5, 0]}, recipe)
    verdict = judge(raw, (METHOD, ("s", "avg=3", 2)), OTHERS, "accuracy")
    assert (verdict.matched, verdict.other) == (0.25, 0.5)
    assert (verdict.better, verdict.ties) == (1, 1)


def test_no_control_no_verdict(rows) -> None:
    assert judge(rows("a", {"a": [1]}), (METHOD,), OTHERS, "wer") is None
