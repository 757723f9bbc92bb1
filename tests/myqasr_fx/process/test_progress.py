import io

import pytest
from rich.console import Console

from myqasr_fx.process import progress
from myqasr_fx.process.progress import RichProgress, Silent


def test_silent_keeps_the_time_of_each_stage() -> None:
    silent = Silent()
    with silent.stage("a", 2) as advance:
        advance(1)
        with silent.stage("b"):
            pass
    with pytest.raises(ValueError), silent.stage("a"):
        raise ValueError
    assert set(silent.seconds) == {"a", "b"}
    assert silent.seconds["a"] >= silent.seconds["b"] >= 0


def test_parts_are_timed_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    bars = RichProgress()
    with bars.stage("round"):
        for _ in range(2):
            with bars.part("passes"):
                pass
    with pytest.raises(ValueError), bars.part("passes"):
        raise ValueError
    assert capsys.readouterr().err == "round …\n"
    assert set(bars.seconds) == {"round"} and set(bars.parts) == {"passes"}
    assert bars.parts["passes"] >= 0


def test_no_terminal_gets_one_plain_line_a_stage(capsys: pytest.CaptureFixture[str]) -> None:
    with RichProgress().stage("capture", 3) as advance:
        advance(1)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "capture …\n"


def test_nested_stages_share_one_display(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda stderr: Console(file=screen, force_terminal=True, width=100))
    bars = RichProgress()
    for _ in range(2):  # a display that ended leaves room for the next
        with bars.stage("outer", 4) as outer, bars.stage("inner") as inner:
            inner(5)
            outer(1)
        with pytest.raises(ValueError), bars.stage("fails"):
            raise ValueError
    text = screen.getvalue()
    assert all(name in text for name in ("outer", "inner", "fails"))
    assert set(bars.seconds) == {"outer", "inner", "fails"}
