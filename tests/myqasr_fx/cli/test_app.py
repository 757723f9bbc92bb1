import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from rich.console import Group
from rich.table import Table
from rich.text import Text

from myqasr_fx import cli
from myqasr_fx.cli import app
from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.errors import ModelError

HEAVY = ("torch", "transformers", "onnx", "onnxruntime", "scipy")


def command(work: Callable[[], Answer]) -> Callable[..., Answer]:
    def act(*, as_json: JsonFlag = False, debug: DebugFlag = False) -> Answer:
        return work()

    return act


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs ``myqasr act`` with the given work; gives exit code, standard output and standard error."""

    def call(work: Callable[[], Answer], *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(app, "COMMANDS", (command(work),))
        monkeypatch.setattr(app, "_quiet_libraries", lambda: None)
        with pytest.raises(SystemExit) as stop:
            app.main(["act", *arguments])
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return call


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom myqasr_fx.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as stop:\n    assert not stop.code\n"
        f"print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert "quantize" in done.stdout


@pytest.mark.parametrize(
    "name",
    [
        "quantize",
        "transcribe",
        "evaluate",
        "inspect",
        "report",
        "diagnose",
        "lint",
        "fleet",
        "init",
        "push",
        "models",
        "demo",
    ],
)
def test_every_command_has_help_json_and_debug(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        app.main([name, "--help"])
    assert not stop.value.code
    text = capsys.readouterr().out
    assert "--json" in text
    assert "--debug" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        app.main(["--version"])
    assert not stop.value.code
    assert capsys.readouterr().out.count(".") == 2


def test_an_answer_is_a_view_or_json(run: Callable[..., tuple[int, str, str]]) -> None:
    def work() -> Answer:
        print("a library chatters")
        return Answer({"wer": 1.5, "text": "grün"}, Text("WER 1.5"))

    assert run(work) == (0, "WER 1.5\n", "a library chatters\n")
    code, out, err = run(work, "--json")
    assert (code, err) == (0, "a library chatters\n")
    assert json.loads(out) == {"wer": 1.5, "text": "grün"}
    assert "grün" in out


@pytest.mark.parametrize(("columns", "width"), [("60", 60), ("", 80), ("0", 80)])
def test_a_table_in_a_pipe_is_as_wide_as_told_and_lines_of_text_are_whole(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(os, "get_terminal_size", lambda _=0: (_ for _ in ()).throw(OSError))
    told, grid = "word " * 40, Table.grid(padding=(0, 2))
    grid.add_row("verdict", told)
    code, out, _ = run(lambda: Answer({}, Group(grid, Text(told))))
    *table, line = out.splitlines()
    assert code == 0
    assert line == told.strip()
    assert width - len("word ") < max(map(len, table)) <= width
    assert " ".join(table).split() == ["verdict", *told.split()]
    assert all(one == one.rstrip() for one in table)


def test_a_terminal_gets_an_error_in_lines_that_are_broken_between_words(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    hint = "give /a/very/long/path/that/does/not/fit/in/thirty-columns or another-one of the folders"

    def work() -> Answer:
        raise ModelError("no such model", hint=hint)

    whole = f"myqasr: no such model ({hint})"
    assert run(work)[2] == whole + "\n"
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    lines = run(work)[2].splitlines()
    assert len(lines) == 3
    assert " ".join(lines) == whole
    assert all(len(line) <= 30 or " " not in line for line in lines)


def test_own_errors_are_one_line_and_exit_2(run: Callable[..., tuple[int, str, str]]) -> None:
    def work() -> Answer:
        raise ModelError("unknown model 'x':\n  no folder", hint="built-in are y")

    assert run(work) == (2, "", "myqasr: unknown model 'x': no folder (built-in are y)\n")


@pytest.mark.parametrize("arguments", [["--bogus"], ["surplus"], ["--json=1"]])
def test_usage_errors_are_one_line_and_exit_2(run: Callable[..., tuple[int, str, str]], arguments: list[str]) -> None:
    code, out, err = run(lambda: Answer({}, ""), *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("myqasr: ")


def test_unexpected_errors_are_one_line_a_file_and_exit_1(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> Answer:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code, out, err = run(work)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "unexpected ZeroDivisionError: division by zero" in err
    (left,) = tmp_path.iterdir()
    assert str(left) in err
    assert "in work: " in left.read_text()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    code, _, err = run(work)
    assert (code, err.count("\n")) == (1, 1)
    assert "--debug" in err


def test_lines_stay_short_and_keep_their_end(run: Callable[..., tuple[int, str, str]]) -> None:
    def work() -> Answer:
        raise ModelError("x" * 2_000, hint="do this")

    code, _, err = run(work)
    assert (code, err.count("\n")) == (2, 1)
    assert len(err) < 300
    assert err.endswith("(do this)\n")


@pytest.mark.parametrize("line", ["a\nmyqasr: forged", "\x1b[31m\x9b\u202e", "a\u2028b", "\udcff"])
def test_what_an_error_names_steers_no_terminal(run: Callable[..., tuple[int, str, str]], line: str) -> None:
    def work() -> Answer:
        raise ModelError(line)

    _, _, err = run(work)
    assert err.count("\n") == 1
    assert not set(err) & set("\x1b\x9b\u202e\u2028\udcff")


@pytest.mark.parametrize("command", ["inspect", "report", "transcribe", "evaluate", "lint", "quantize"])
@pytest.mark.parametrize("name", ["~nouser/x", "a" * 300, "a\x1bb"])
def test_names_that_are_none_are_one_line(command: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = {"transcribe": [name], "evaluate": ["--manifest", name], "quantize": [name, "--out", name]}
    more["quantize"] += ["--budget", "1MB"]
    with pytest.raises(SystemExit) as stop:
        app.main([command, name, *more.get(command, [])])
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert len(err.splitlines()[-1]) < 300


def test_a_requirement_that_is_not_installed_is_named(run: Callable[..., tuple[int, str, str]]) -> None:
    def need(module: str) -> Callable[[], Answer]:
        def work() -> Answer:
            import_module(module)
            return Answer({}, "")

        return work

    code, out, err = run(need("torch_of_nobody.nn"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "needs torch_of_nobody, which is not installed" in err
    code, _, err = run(need("myqasr_fx.nowhere"))
    assert code == 1
    assert "unexpected ModuleNotFoundError" in err


def test_debug_shows_the_traceback(run: Callable[..., tuple[int, str, str]]) -> None:
    def work() -> Answer:
        raise ZeroDivisionError

    code, _, err = run(work, "--debug")
    assert code == 1
    assert "Traceback" in err
    assert "in work" in err


def test_interruption_exits_130(run: Callable[..., tuple[int, str, str]]) -> None:
    def work() -> Answer:
        raise KeyboardInterrupt

    assert run(work) == (130, "", "myqasr: interrupted\n")


def test_signals_keep_their_exit_code(run: Callable[..., tuple[int, str, str]]) -> None:
    def work() -> Answer:
        raise SystemExit(128 + signal.SIGTERM)

    assert run(work)[0] == 143


def test_a_reader_that_leaves_early_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "myqasr_fx", "--help"], stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr


def test_bad_news_is_printed_and_has_its_exit_code(run: Callable[..., tuple[int, str, str]]) -> None:
    assert run(lambda: Answer({}, Text("rejected"), 3)) == (3, "rejected\n", "")


def test_only_a_process_that_ends_skips_its_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[bool] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(True))
    for arguments, expected in ((["--version"], []), (None, [True])):
        monkeypatch.setattr("sys.argv", ["myqasr", "--version"])
        with pytest.raises(SystemExit) as stop:
            cli.main(arguments)
        assert not stop.value.code and frozen == expected


@pytest.mark.parametrize("words", [["--help"], *([command.__name__, "--help"] for command in app.COMMANDS)], ids=str)
def test_flags_show_no_type(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app.main(words)
    said = capsys.readouterr().out
    assert "--help" in said and "<bool>" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("transcribe", "bundle", ""), "argument 3 is empty"),
        (("quantize", "model", "a.wav", "--out="), "--out is empty"),
        (("report", ""), "argument 2 is empty"),
    ],
)
def test_an_empty_argument_is_no_path(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        app.main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"myqasr: {said} (give a value, or check the variable that it comes from)\n"
