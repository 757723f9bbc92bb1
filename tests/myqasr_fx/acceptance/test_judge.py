from dataclasses import replace

import numpy as np
import pytest

from myqasr_fx.acceptance.advice import Run
from myqasr_fx.acceptance.judge import Judged, judge
from myqasr_fx.audio import Clip, ClipSet
from myqasr_fx.bundle.comparison import ClipComparison, WordEdits
from myqasr_fx.bundle.measure_record import FAILS, HOLDS, OPEN
from myqasr_fx.bundle.verdict_record import ACCEPTED, REJECTED, UNCERTAIN, AcceptanceRecord
from myqasr_fx.measure.clip_shares import share_clips
from myqasr_fx.options.thresholds import Thresholds
from myqasr_fx.process.limits import Limits

CLIPS = tuple(Clip(None, np.full(400, index + 1, np.float32)) for index in range(8))
ENOUGH = Limits().held_out_from
GOOD = ClipComparison("a", 5.0, "", "", 100, 99, 1.0, WordEdits(80, 2, 1, 1), False, False)
EVEN = replace(GOOD, same=97, edits=WordEdits(120, 0, 0, 0))
ROWS = (GOOD, EVEN) * 4
BOUNDS = Thresholds(min_agreement=0.95, max_kl=0.1, max_deletions=0.05, max_insertions=0.05)
RUN = Run(hardest=False, model_bytes=1000, num_weights=2000, holdout=0.25, max_clips=32, enough=ENOUGH)


def verdict(
    rows: tuple[ClipComparison, ...], bounds: Thresholds = BOUNDS, held_out: bool = True, run: Run = RUN
) -> AcceptanceRecord:
    return judge(rows, Judged(CLIPS[: len(rows)], held_out, None if held_out else "why"), bounds, run)


def test_rates_over_all_clips() -> None:
    record = verdict(ROWS)
    assert record.verdict == ACCEPTED
    assert (record.failed, record.note, record.advice, record.more_seconds) == ((), None, (), None)
    assert (record.clips, record.seconds, record.positions, record.words) == (8, 40.0, 800, 800)
    assert (record.agreement, record.kl) == (0.98, 0.01)
    assert (record.substitutions, record.deletions, record.insertions) == (0.01, 0.005, 0.005)
    assert record.changes == pytest.approx(0.02)
    assert record.judged == tuple(clip.sha256 for clip in CLIPS)
    assert record.agreement_ci95 == (record.measures[0].low, record.measures[0].high)
    assert record.agreement_ci95[0] < 0.975 < 0.985 < record.agreement_ci95[1]
    assert record.changes_ci95 is not None and record.changes_ci95[0] < 0.02 < record.changes_ci95[1]
    assert {measure.state for measure in record.measures} == {HOLDS}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"same": 60}, "token agreement 78.50% ["),
        ({"kl": 60.0}, "divergence 0.3050 nats ["),
        ({"edits": WordEdits(80, 0, 30, 0)}, "words left out 15.00% ["),
        ({"edits": WordEdits(80, 0, 0, 30)}, "words added 15.00% ["),
        ({"loop": True}, "clips in a loop 50.00%, expected at most 0.00%"),
        ({"blank": True}, "blank clips 50.00%, expected at most 0.00%"),
    ],
)
def test_each_bound_rejects(change: dict[str, object], words: str) -> None:
    record = verdict((replace(GOOD, **change), EVEN) * 4)
    assert record.verdict == REJECTED and record.rejected
    (reason,) = record.failed
    assert reason.startswith(words)
    assert ", expected at " in reason
    assert record.advice[0].startswith("--effort high") and record.more_seconds is None


def test_between_the_two_it_is_uncertain() -> None:
    record = verdict(ROWS, replace(BOUNDS, min_agreement=0.975))
    assert record.verdict == UNCERTAIN and not record.rejected
    assert [m.name for m in record.measures if m.state == OPEN] == ["agreement"]
    assert record.failed == ()
    assert record.more_seconds is not None and record.more_seconds > 0
    (tip,) = record.advice
    assert "more held-out speech would decide" in tip and "--max-clips" in tip


def test_a_failure_counts_more_than_what_is_open() -> None:
    record = verdict(ROWS, replace(BOUNDS, min_agreement=0.975, max_kl=0.001))
    assert record.verdict == REJECTED
    assert [m.state for m in record.measures[:2]] == [OPEN, FAILS]
    assert len(record.failed) == 1


@pytest.mark.parametrize("clips", [1, 2])
def test_one_or_two_clips_accept_nothing_at_the_usual_bounds(clips: int) -> None:
    perfect = replace(GOOD, positions=40, same=40, kl=0.001, edits=WordEdits(33, 0, 0, 0))
    record = verdict((perfect,) * clips, Thresholds())
    assert record.verdict == UNCERTAIN
    assert record.agreement_ci95 is not None and record.agreement_ci95[0] < 0.95
    ruined = replace(GOOD, positions=40, same=8, kl=200.0)
    assert verdict((ruined,) * clips, Thresholds()).verdict == REJECTED


def test_an_interval_that_just_meets_its_bounds_is_inside() -> None:
    ends = {m.name: m for m in verdict(ROWS).measures}
    just = Thresholds(ends["agreement"].low, ends["kl"].high, ends["deletions"].high, ends["insertions"].high)
    assert verdict(ROWS, just).verdict == ACCEPTED
    assert verdict(ROWS, replace(just, max_kl=just.max_kl * 0.999)).verdict == UNCERTAIN


def test_what_limits_the_verdict_is_said() -> None:
    seen = verdict(ROWS, held_out=False)
    assert seen.note == "judged on clips of the calibration, since why: the verdict is optimistic"
    few = verdict((replace(GOOD, edits=WordEdits(0, 0, 0, 0)),))
    assert few.note == "only 0 words were heard: the rates are rough"
    assert few.verdict == UNCERTAIN  # nothing was heard of words left out


@pytest.mark.parametrize(
    ("clips", "words"), [(ENOUGH - 1, f"fewer than {ENOUGH} clips were given"), (ENOUGH, "no clip was held out")]
)
def test_why_clips_of_the_calibration_are_judged_on_is_said(clips: int, words: str) -> None:
    shares = share_clips(ClipSet(CLIPS[:clips]), 0.0, 0, Limits())
    judged = Judged.of(shares, ENOUGH)
    assert (judged.held_out, judged.why) == (False, words)
    assert judged.clips == shares.judge
