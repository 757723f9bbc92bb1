from dataclasses import replace

import numpy as np
import pytest

from myqasr_fx.acceptance.judge import judge
from myqasr_fx.audio import Clip, ClipSet
from myqasr_fx.bundle.comparison import ClipComparison, WordEdits
from myqasr_fx.measure.clip_shares import share_clips
from myqasr_fx.options.thresholds import Thresholds
from myqasr_fx.process.limits import Limits

CLIP = Clip(None, np.ones(400, np.float32))
ENOUGH = Limits().held_out_from
SHARES = replace(share_clips(ClipSet((CLIP,)), 0.0, 0, Limits()), judge=(CLIP, CLIP), held_out=True)
GOOD = ClipComparison("a", 5.0, "", "", 100, 99, 1.0, WordEdits(80, 2, 1, 1), False, False)
ROWS = (GOOD, replace(GOOD, same=97, edits=WordEdits(120, 0, 0, 0)))
BOUNDS = Thresholds(min_agreement=0.95, max_kl=0.1, max_deletions=0.02, max_insertions=0.02)


def test_rates_over_all_clips() -> None:
    record = judge(ROWS, SHARES, BOUNDS, ENOUGH)
    assert record.accepted
    assert (record.failed, record.note) == ((), None)
    assert (record.clips, record.seconds, record.positions, record.words) == (2, 10.0, 200, 200)
    assert (record.agreement, record.kl) == (0.98, 0.01)
    assert (record.substitutions, record.deletions, record.insertions) == (0.01, 0.005, 0.005)
    assert record.changes == pytest.approx(0.02)
    assert record.agreement_ci95 == (0.97, 0.99)
    assert record.changes_ci95 == (0.0, 0.05)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"same": 80}, "token agreement 88.50%, expected at least 95.00%"),
        ({"kl": 30.0}, "divergence 0.155 nats, expected at most 0.1"),
        ({"edits": WordEdits(80, 0, 9, 0)}, "words left out 4.50%"),
        ({"edits": WordEdits(80, 0, 0, 9)}, "words added 4.50%"),
        ({"loop": True}, "clips in a loop 50.00%"),
        ({"blank": True}, "blank clips 50.00%"),
    ],
)
def test_each_bound_rejects(change: dict[str, object], words: str) -> None:
    record = judge((replace(GOOD, **change), ROWS[1]), SHARES, BOUNDS, ENOUGH)
    assert not record.accepted
    assert len(record.failed) == 1
    assert words in record.failed[0]


def test_a_bound_that_is_just_met_is_met() -> None:
    assert judge(ROWS, SHARES, Thresholds(0.98, 0.01, 0.005, 0.005), ENOUGH).accepted


def test_what_limits_the_verdict_is_said() -> None:
    seen = judge(ROWS, replace(SHARES, held_out=False), BOUNDS, ENOUGH)
    assert seen.note is not None
    assert "fewer than 8 clips" in seen.note
    assert "optimistic" in seen.note
    few = judge((replace(GOOD, edits=WordEdits(0, 0, 0, 0)),), SHARES, BOUNDS, ENOUGH)
    assert few.note is not None
    assert "only 0 words" in few.note
    assert few.agreement_ci95 is None


@pytest.mark.parametrize(
    ("clips", "words"), [(ENOUGH - 1, f"fewer than {ENOUGH} clips were given"), (ENOUGH, "no clip was held out")]
)
def test_why_clips_of_the_calibration_are_judged_on_is_said(clips: int, words: str) -> None:
    given = ClipSet(tuple(Clip(None, np.full(400, index + 1, np.float32)) for index in range(clips)))
    note = judge(ROWS, share_clips(given, 0.0, 0, Limits()), BOUNDS, ENOUGH).note
    assert note == f"judged on clips of the calibration, since {words}: the verdict is optimistic"
