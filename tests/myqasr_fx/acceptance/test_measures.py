import pytest

from myqasr_fx.acceptance.measures import Measure, measures, more_speech, state_of
from myqasr_fx.bundle.comparison import ClipComparison, WordEdits
from myqasr_fx.bundle.measure_record import FAILS, HOLDS, OPEN
from myqasr_fx.options.thresholds import Thresholds

CLIP = ClipComparison("a", 10.0, "", "", 40, 38, 0.8, WordEdits(30, 1, 1, 0), False, False)
"""95 % of the tokens, 0.02 nats, 3.3 % of the words left out."""
BOUNDS = Thresholds(min_agreement=0.8, max_kl=0.2, max_deletions=0.5, max_insertions=0.5)


def measured(name: str, bounds: Thresholds, clips: int = 8) -> Measure:
    return next(m for m in measures([CLIP] * clips, bounds) if m.name == name)


@pytest.mark.parametrize(
    ("name", "interval", "bound", "state"),
    [
        ("agreement", (0.9, 0.98), 0.9, HOLDS),
        ("agreement", (0.9, 0.98), 0.98, OPEN),
        ("agreement", (0.9, 0.98), 0.981, FAILS),
        ("kl", (0.01, 0.02), 0.02, HOLDS),
        ("kl", (0.01, 0.02), 0.01, OPEN),
        ("kl", (0.01, 0.02), 0.009, FAILS),
        ("insertions", (0.0, 3.0), 2.0, OPEN),
    ],
)
def test_inside_across_and_outside(name: str, interval: tuple[float, float], bound: float, state: str) -> None:
    assert state_of(name, interval, bound) == state


def test_each_is_held_against_its_own_bound() -> None:
    records = {m.name: m.record() for m in measures([CLIP] * 8, BOUNDS)}
    assert list(records) == ["agreement", "kl", "deletions", "insertions"]
    assert {r.state for r in records.values()} == {HOLDS}
    assert (records["agreement"].value, records["kl"].value) == (0.95, 0.02)
    assert records["deletions"].bound == 0.5
    for record in records.values():
        assert record.low <= record.value <= record.high


def test_more_speech_decides_what_is_open() -> None:
    bounds = Thresholds(min_agreement=0.92, max_kl=0.2, max_deletions=0.5, max_insertions=0.5)
    found = measures([CLIP] * 8, bounds)
    assert measured("agreement", bounds).record().state == OPEN
    more = more_speech(found, 80.0)
    assert more is not None and more > 0
    clips = 8 + round(more / 10)
    assert measured("agreement", bounds, clips).record().state == HOLDS
    assert measured("agreement", bounds, 8 + round(0.7 * more / 10)).record().state == OPEN


def test_one_failure_is_enough_but_all_have_to_hold() -> None:
    doubtful = Thresholds(min_agreement=0.96, max_kl=0.021, max_deletions=0.5, max_insertions=0.5)
    hopeful = Thresholds(min_agreement=0.94, max_kl=0.021, max_deletions=0.5, max_insertions=0.5)
    assert measured("agreement", doubtful).promising is False
    alone = more_speech([measured("agreement", doubtful)], 80.0)
    assert more_speech(measures([CLIP] * 8, doubtful), 80.0) == alone  # the other may stay open
    apart = [more_speech([measured(name, hopeful)], 80.0) for name in ("agreement", "kl")]
    assert more_speech(measures([CLIP] * 8, hopeful), 80.0) == max(apart)
    assert apart[0] != apart[1]


def test_a_rate_on_its_bound_is_never_told_from_it() -> None:
    assert more_speech([measured("agreement", Thresholds(min_agreement=0.95))], 80.0) is None
