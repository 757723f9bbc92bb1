"""The table of directions says what the recordings say."""

from direction import Case, ClipResult, difference, table


def rows(*nats: float) -> tuple[ClipResult, ...]:
    return tuple(ClipResult(f"{i}.flac", 10, value, 9) for i, value in enumerate(nats))


def test_directions_side_by_side() -> None:
    results = {
        Case("model", "24MB", "descending"): rows(1.0, 2.0, 3.0),
        Case("model", "24MB", "ascending"): rows(2.0, 3.0, 4.0),
    }
    shown = table(results)
    assert "| model | 24MB | 0.2000 nats, 90.0% | 0.3000 nats, 90.0% | +0.1000 [+0.1000, +0.1000] |" in shown
    assert "Positions: 30 of model." in shown


def test_a_difference_that_depends_on_the_recording_has_an_interval_around_it() -> None:
    change = difference(rows(1.0, 1.0, 1.0, 1.0), rows(0.0, 3.0, 1.0, 2.0))
    assert change.low < 0.05 < change.high
