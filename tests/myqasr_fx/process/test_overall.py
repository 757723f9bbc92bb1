"""How much of a run is done, by what its stages usually take."""

from __future__ import annotations

import pytest

from myqasr_fx.process.overall import Overall, in_minutes, told_time

USUAL = {"load": 10.0, "observe": 50.0, "write": 20.0, "round": 20.0}


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_the_rest_takes_as_long_as_what_is_done_did() -> None:
    clock = Clock()
    run = Overall(USUAL, clock)
    assert (run.done, run.seconds_left) == (0.0, None)
    run.begin("load")
    clock.seconds = 20.0  # twice as long as usual
    run.end("load")
    assert (run.done, run.seconds_left) == (pytest.approx(0.1), pytest.approx(180.0))
    run.begin("observe")
    clock.seconds = 70.0
    run.advance("observe", 0.5)
    assert (run.done, run.seconds_left) == (pytest.approx(0.35), pytest.approx(130.0))


def test_a_stage_that_was_passed_over_is_done_and_says_nothing_of_the_speed() -> None:
    clock = Clock()
    run = Overall(USUAL, clock)
    run.begin("load")
    clock.seconds = 5.0  # half as long as usual
    run.end("load")
    run.begin("write")  # nothing to observe: kept from an earlier run
    run.begin("round")  # inside it
    assert (run.done, run.seconds_left) == (pytest.approx(0.6), pytest.approx(20.0))
    clock.seconds = 10.0
    run.end("round")
    assert run.done == pytest.approx(0.8)
    run.end("write")
    assert (run.done, run.seconds_left) == (pytest.approx(1.0), pytest.approx(0.0))


def test_a_stage_that_comes_twice_does_not_go_back_and_one_that_nobody_expects_counts_nothing() -> None:
    run = Overall(USUAL, Clock())
    run.begin("load")
    run.end("load")
    run.advance("load", 0.2)
    run.begin("surprise")
    run.end("surprise")
    assert run.done == pytest.approx(0.1)
    assert Overall({}).done == 0.0


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "10 s"), (44, "40 s"), (57, "1 min"), (131, "2 min 10 s"), (3600, "60 min")],
)
def test_times_are_told_in_steps_of_ten_seconds(seconds: float, told: str) -> None:
    assert told_time(seconds) == told


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "10 s"), (44, "40 s"), (54, "50 s"), (57, "1 min"), (131, "2 min"), (7199, "120 min")]
)
def test_where_there_is_little_room_minutes_are_whole(seconds: float, told: str) -> None:
    assert in_minutes(seconds) == told
