"""The acceptance study's files, which are its memory too."""

from dataclasses import replace
from pathlib import Path

import pytest
from acceptance_outcomes import (
    DEV,
    TEST,
    Errors,
    Outcome,
    Variant,
    read_errors,
    read_outcomes,
    write_errors,
    write_outcomes,
)

from myqasr_fx.bundle.verdict_record import ACCEPTED, AcceptanceRecord

VARIANT = Variant("tiny", "paper-file:order=ascending,seed=1", "24MB", 4)


@pytest.fixture
def outcome() -> Outcome:
    seen = AcceptanceRecord(
        ACCEPTED, (), True, None, 4, 9.0, "0" * 64, 90, 0.9, None, 0.05, 80, 0.02, 0.01, 0.03, None, 1, 2
    )
    full = [Errors("a", 1, 10, 0), Errors("b", 0, 30, 0)]
    got = [Errors("a", 2, 10, 0), Errors("b", 1, 30, 1)]
    return Outcome.of((VARIANT, DEV, 4.5), seen, got, full)


def test_the_loss_is_the_difference_of_the_error_rates(outcome: Outcome) -> None:
    assert (outcome.loss, outcome.words, outcome.runaways) == (0.05, 40, 1)
    assert outcome.loss_low == pytest.approx(1 / 30, abs=1e-6)
    assert outcome.loss_high == pytest.approx(1 / 10)
    assert (outcome.loops, outcome.blanks, outcome.heard) == (0.25, 0.5, 80)
    assert outcome.changes == pytest.approx(0.06)
    assert outcome.in_range


def test_a_model_counts_when_both_sides_are_there(outcome: Outcome, tmp_path: Path) -> None:
    path = tmp_path / "new" / "outcomes.csv"
    assert read_outcomes(path) == ()
    both = (outcome, replace(outcome, side=TEST, loss=-0.01))
    half = replace(outcome, variant=replace(VARIANT, clips=8))
    write_outcomes(path, (*both, half))
    assert read_outcomes(path) == both
    assert not both[1].in_range


def test_errors_are_read_as_they_were_written(tmp_path: Path) -> None:
    errors = {(VARIANT, DEV): [Errors("a.flac", 1, 5, 0)], (VARIANT, TEST): [Errors("b.flac", 0, 4, 1)]}
    write_errors(tmp_path / "errors.csv", errors)
    assert read_errors(tmp_path / "errors.csv") == errors
