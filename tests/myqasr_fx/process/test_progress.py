import io
import re

import pytest
from rich.console import Console
from rich.text import Text

from myqasr_fx.errors import MyqasrError
from myqasr_fx.process import progress
from myqasr_fx.process.progress import RichProgress, Silent, Told, as_progress


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


def test_a_run_whose_stages_are_known_tells_how_much_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    bars = RichProgress({"capture": 1.0, "observe": 2.0, "write": 1.0})
    with bars.stage("capture"):
        pass
    with bars.stage("observe", 2) as advance:
        advance(1)
        with bars.stage("surprise"):
            pass
    with bars.stage("write"):
        pass
    first, second, third, last = capsys.readouterr().err.splitlines()
    assert first == "capture …"
    assert second == "observe … (25% done, about 10 s left)"
    assert third == "surprise … (50% done, about 10 s left)"
    assert last == "write … (75% done, about 10 s left)"


def test_the_whole_run_has_a_bar_of_its_own_while_a_stage_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda stderr: Console(file=screen, force_terminal=True, width=100))
    bars = RichProgress({"observe": 1.0, "write": 1.0})
    with bars.stage("observe", 4) as advance, bars.stage("inner", 2) as inner:
        advance(2)
        inner(1)
        assert bars._bars is not None
        bars._bars.refresh()
    text = screen.getvalue()
    assert "in all" in text and "25%, about 10 s left" in text
    assert "in all" not in text.rsplit("2K", 1)[-1]  # what stays behind the last redrawing


def test_no_line_of_bars_fills_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda stderr: Console(file=screen, force_terminal=True, width=80))
    monkeypatch.setattr(progress.Overall, "seconds_left", 7_199.0)
    names = {"observe gradients of outputs": 1.0, "allocate, round and export": 1.0}
    bars = RichProgress(names)
    first, second = names
    with pytest.raises(KeyboardInterrupt), bars.stage(first, 1000) as advance, bars.stage(second, 1000):
        advance(999)
        assert bars._bars is not None
        bars._bars.refresh()
        raise KeyboardInterrupt
    lines = [Text.from_ansi(line).plain.rstrip() for line in re.split(r"[\r\n]", screen.getvalue())]
    assert "50%, about 120 min left" in " ".join(lines)
    assert max(map(len, lines)) < 80 - len("^C") + 1
    last = screen.getvalue().rsplit("2K", 1)[-1]
    assert (last.count(first), last.count(second), last.count("in all")) == (1, 1, 0)


def test_what_is_written_above_the_bars_goes_to_its_own_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, output = io.StringIO(), io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda stderr: Console(file=screen, force_terminal=True, width=80))
    bars = RichProgress()
    with bars.stage("transcribe", 2), bars.above(output) as console:
        console.print("so it is")
    before, _, after = output.getvalue().partition("so it is\n")
    assert before.endswith("\x1b[2K") and "transcribe" in after
    assert "so it is" not in screen.getvalue()


def test_a_function_is_told_of_every_step() -> None:
    calls: list[tuple[str, int, int]] = []
    told = as_progress(lambda *call: calls.append(call))
    with told.stage("round", 3) as advance:
        advance(2)
        with told.stage("inner") as unknown:
            unknown(7)  # of steps that nobody counted
        advance(1)
    with told.stage("cut short", 4) as advance:
        advance(1)
    with pytest.raises(ValueError), told.stage("fails", 2):
        raise ValueError
    inner = [("inner", 0, 1), ("inner", 1, 1)]
    assert calls[:5] == [("round", 0, 3), ("round", 2, 3), *inner, ("round", 3, 3)]
    assert calls[5:] == [("cut short", 0, 4), ("cut short", 1, 4), ("cut short", 4, 4), ("fails", 0, 2)]
    assert set(told.seconds) == {"round", "inner", "cut short", "fails"}


def test_who_is_told_is_a_progress_a_function_or_nobody() -> None:
    bars = RichProgress()
    assert as_progress(bars) is bars
    assert type(as_progress(None)) is Silent
    assert isinstance(as_progress(print), Told)
    with pytest.raises(MyqasrError, match="progress True: bool, expected a function"):
        as_progress(True)  # type: ignore[arg-type]
