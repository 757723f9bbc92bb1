from __future__ import annotations

import pytest

from myqasr_fx.personalize.controls import NOISE, OTHERS
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
    assert (verdict.better, verdict.worse, verdict.ties) == (1, 0, 0)  # one group, however many methods


def test_methods_of_one_speaker_are_no_further_speakers(rows) -> None:
    """Three recipes agree on five of six speakers: eighteen cells, six speakers."""
    recipes = ("r", "s", "t")
    raw = [row for recipe in recipes for name in NAMES for row in rows(name, {name: [1] * 4}, recipe)]
    control = {name: [0 if name == "a" else 3] * 4 for name in NAMES}
    raw += [row for recipe in recipes for row in rows(OTHERS, control, recipe)]
    verdict = judge(raw, tuple((recipe, "avg=3", 2) for recipe in recipes), OTHERS, "wer")
    assert (verdict.better, verdict.worse, verdict.ties) == (5, 1, 0)
    assert verdict.p_value == pytest.approx(7 / 64)
    assert verdict.answer == "not shown"


def test_how_large_a_gain_would_have_been_shown(rows) -> None:
    raw = diagonal(rows, 1) + rows(OTHERS, {name: [1, 2, 1, 2] for name in NAMES})
    verdict = judge(raw, (METHOD,), OTHERS, "wer")
    width = verdict.interval.high - verdict.interval.low
    assert 0 < verdict.detectable < width
    assert verdict.detectable == pytest.approx(width * (1.96 + 0.84) / (2 * 1.96))
    four = [row for row in raw if row.cell.test in "abcd"]
    assert judge(four, (METHOD,), OTHERS, "wer").detectable is None  # 1 / 16 is the smallest p of four groups


def test_no_control_no_verdict(rows) -> None:
    assert judge(rows("a", {"a": [1]}), (METHOD,), OTHERS, "wer") is None
