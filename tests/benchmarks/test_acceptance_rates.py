"""Which bounds the verdict takes, and how often it is wrong with them."""

from dataclasses import replace

import acceptance_rates
import numpy as np
import pytest
from acceptance_coverage import Heard, corrected, read_heard
from acceptance_outcomes import DEV, FULL, Errors, Outcome, Variant
from acceptance_rates import Side, badness, choose, drawn, nearest, rates, table
from splits import SPLITS

from myqasr_fx.options.thresholds import Thresholds

HEARD = Heard(np.array([20, 40, 30, 50]), np.array([0.2, 1.0, 0.3, 0.5]), np.array([0, 2, 1, 1]))
WHOLE = Variant("tiny", FULL, "", 0)


def outcome(kl: float, agreement: float, budget: str = "24MB") -> Outcome:
    rates = (agreement, kl, 0.01, 0.01, 0.0, 0.0, 0.0)
    return Outcome(Variant("tiny", "paper-file", budget), DEV, 4.0, *rates, 300, 0.0, 0.0, 0.0, 300, 0)


GOOD = {"agreement": (0.95, 0.99), "kl": (0.01, 0.02), "deletions": (0.0, 0.03), "insertions": (0.0, 0.03)}
POOR = {**GOOD, "kl": (0.2, 0.3)}
OPEN = {**GOOD, "kl": (0.01, 0.3)}


def test_errors_of_both_kinds_are_counted() -> None:
    found = rates([(1.0, [GOOD, POOR, OPEN, OPEN]), (0.0, [GOOD, GOOD, POOR, OPEN])], Thresholds())
    assert (found.wrong_accept, found.wrong_reject, found.right_accept) == (0.25, 0.25, 0.5)
    assert found.uncertain == pytest.approx(3 / 8)
    half = rates([(0.5, [GOOD])], Thresholds())
    assert (half.wrong_accept, half.right_accept) == (1.0, 1.0)


def test_bounds_are_seldom_wrong_and_then_seldom_uncertain() -> None:
    side = Side(DEV, ((1.0, 0.0), (1.0, 0.0)), ((POOR,) * 4, (GOOD,) * 4))
    chosen = choose(side)
    assert side.rates(chosen, -1).uncertain == 0
    assert (chosen.max_kl, chosen.max_deletions) == (0.05, 0.05)  # the tightest that do
    lines = table([side])
    assert lines[0].endswith("| dev, more than 1 points | dev, more than 2 points |")
    assert lines[-1] == "| 90% | 0.07 | 10% | 0 / 0 / 0 / 100 | 0 / 0 / 0 / 100 |"


def test_a_model_is_as_bad_as_its_recordings_tell() -> None:
    full = [Errors(str(i), 1, 10, 0) for i in range(20)]
    assert badness([replace(row, errors=3) for row in full], full, 0.02) == 1.0
    assert badness(full, full, 0.02) == 0.0
    one = [replace(row, errors=1 + 5 * (i == 0)) for i, row in enumerate(full)]
    assert 0.1 < badness(one, full, 0.02) < 0.9


def test_draws_have_the_rates_of_the_model() -> None:
    model, random = outcome(0.05, 0.9), np.random.default_rng(0)
    clips = [clip for _ in range(400) for clip in drawn(HEARD, model, random)]
    positions = sum(clip.positions for clip in clips)
    assert sum(clip.same for clip in clips) / positions == pytest.approx(0.9, abs=0.01)
    assert sum(clip.kl for clip in clips) / positions == pytest.approx(0.05, rel=0.05)
    assert sum(c.edits.deletions for c in clips) / sum(c.edits.words for c in clips) == pytest.approx(0.01, rel=0.2)


def test_clips_come_from_the_model_that_is_most_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptance_rates, "DRAWS", 3)
    worse = Heard(HEARD.positions, 10 * HEARD.nats, HEARD.missed)
    heard = {("tiny", "24MB", "a"): HEARD, ("tiny", "16MB", "a"): worse, ("base", "24MB", "a"): worse}
    assert nearest(heard, outcome(0.02, 0.95)) is HEARD
    assert nearest(heard, outcome(0.2, 0.9)) is worse
    errors = {
        (WHOLE, DEV): [Errors("a", 0, 10, 0)] * 4,
        (outcome(0.02, 0.95).variant, DEV): [Errors("a", 0, 10, 0)] * 4,
    }
    side = Side.of(DEV, [outcome(0.02, 0.95)], errors, heard, long=True)
    assert side.bad == ((0.0,), (0.0,))
    assert set(side.draws[0][0]) == {"agreement", "kl", "deletions", "insertions"}


def test_the_heard_clips_are_there() -> None:
    heard = read_heard(SPLITS.parent / "results" / "direction.csv")
    assert len(heard) == 12
    assert {len(clips.positions) for clips in heard.values()} == {30}


def test_resampling_sees_no_error_where_clips_agree() -> None:
    assert corrected(np.array([1.0, 2.0]), np.array([10, 20])) == (0.1, 0.1)
    low, high = corrected(HEARD.nats, HEARD.positions)
    assert low < HEARD.nats.sum() / HEARD.positions.sum() < high
