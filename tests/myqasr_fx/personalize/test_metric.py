"""Every metric on rows whose counts are known."""

from __future__ import annotations

import pytest

from myqasr_fx.personalize.controls import OTHERS
from myqasr_fx.personalize.ledger import Cell, Row, full_cell
from myqasr_fx.personalize.matrix import make_matrix
from myqasr_fx.personalize.metric import METRICS, counted, has_texts, is_metric
from myqasr_fx.personalize.result import Result
from myqasr_fx.personalize.verdict import judge

METHOD = ("r", "avg=3", 2)


def row(calibration: str, audio: str, positions: int, nats: float, same: int, words: int = 10) -> Row:
    cell = Cell("r", "avg=3", 2, 0, calibration, "a") if calibration else full_cell("a")
    return Row(cell, audio, 1, words, positions, nats, same)


@pytest.mark.parametrize(("metric", "value"), [("divergence", 3.5 / 50), ("agreement", 44 / 50)])
def test_positions_are_what_recordings_are_pooled_by(metric: str, value: float) -> None:
    assert is_metric(metric)
    rows = [row("a", "x.wav", 40, 3.0, 36), row("a", "y.wav", 10, 0.5, 8)]
    score = make_matrix(rows, METHOD, metric).scores["a", "a"]
    assert score.value == pytest.approx(value)
    assert score.interval.low <= value <= score.interval.high


def test_verdicts_of_agreement_compare_what_is_missing_from_one() -> None:
    rows = [row("a", "x.wav", 40, 1.0, 39), row(OTHERS, "x.wav", 40, 2.0, 36)]
    apart, nats = (judge(rows, (METHOD,), OTHERS, metric) for metric in ("agreement", "divergence"))
    assert (apart.matched, apart.other) == (pytest.approx(1 / 40), pytest.approx(4 / 40))
    assert (nats.matched, nats.other, nats.better) == (pytest.approx(1 / 40), pytest.approx(2 / 40), 1)


def test_rows_that_a_metric_cannot_be_told_of_do_not_count() -> None:
    compared, not_compared = row("a", "x.wav", 4, 1.0, 4, words=0), row("a", "y.wav", 0, 0.0, 0, words=0)
    assert counted([compared, not_compared], "divergence") == (compared,)
    assert counted([compared, not_compared], "wer") == ()
    spoken = row("a", "z.wav", 0, 0.0, 0)
    assert counted([compared, spoken], "accuracy") == (compared, spoken)
    assert [name for name in METRICS if has_texts(name)] == ["wer", "accuracy"]
    assert not is_metric("loudness")


def test_divergence_stands_beside_what_texts_say() -> None:
    rows = [row("", "x.wav", 8, 0.0, 8), row("a", "x.wav", 8, 1.0, 7), row(OTHERS, "x.wav", 8, 2.0, 7)]
    result = Result.of(rows, "wer")
    assert (result.metric, result.beside.metric) == ("wer", "divergence")
    assert result.as_dict()["beside"]["verdicts"][0]["matched"] == pytest.approx(1 / 8)
    assert Result.of(rows, "divergence").beside is None
    assert Result.of([row("a", "x.wav", 0, 0.0, 0)], "wer").beside is None


@pytest.mark.parametrize(
    ("metric", "text", "fine"),
    [("wer", "12.3", "+12.35"), ("divergence", "0.123", "+0.1235"), ("agreement", "12.3", "+12.35")],
)
def test_values_are_written_in_their_unit(metric: str, text: str, fine: str) -> None:
    assert METRICS[metric].text(0.12345) == text
    assert METRICS[metric].fine(0.12346, "+") == fine
