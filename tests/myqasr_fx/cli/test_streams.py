"""Standard output that is closed, full or ASCII, and Ctrl-C; each in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

MYQASR = [sys.executable, "-m", "myqasr_fx"]
KEPT = Path(__file__).parents[2] / "data" / "bundle"
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NAPPING = """
import sys, time
from myqasr_fx.cli import app, models
from rich.text import Text
def models(*, as_json: app.answering.__globals__["JsonFlag"] = False, debug: app.answering.__globals__["DebugFlag"] = False) -> app.answering.__globals__["Answer"]:
    print("ready", file=sys.__stdout__, flush=True)
    time.sleep(60)
app.COMMANDS = (models,)
app.main(sys.argv[1:])
"""  # noqa: E501


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """A recording."""
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000)
    soundfile.write(tmp_path / "a.wav", sound, 16_000)
    return tmp_path / "a.wav"


def run(*arguments: str, shell: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs ``myqasr`` with ``shell`` behind it."""
    command = ["bash", "-c", f'"$@" {shell}', "bash", *MYQASR, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **settings})


@pytest.mark.parametrize("arguments", [("inspect", str(KEPT)), ("inspect", str(KEPT), "--json"), ("inspect", "--help")])
def test_a_full_device_is_one_line(arguments: tuple[str, ...]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    done = run(*arguments, shell=">/dev/full")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("myqasr: standard output: No space left")


@pytest.mark.parametrize("arguments", [(), ("--format", "srt"), ("--json",)])
def test_a_full_device_is_told_of_texts_too(arguments: tuple[str, ...], speech: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    done = run("transcribe", str(KEPT), str(speech), *arguments, shell=">/dev/full")
    said = "myqasr: standard output: No space left on device (send it elsewhere)\n"
    assert (done.returncode, done.stderr) == (2, "transcribe …\n" + said)


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("inspect", str(KEPT)), ("inspect", str(KEPT), "--json"), ("models",)]
)
def test_a_reader_that_left_is_told_as_by_sigpipe(arguments: tuple[str, ...]) -> None:
    assert left(*arguments) == (141, "")


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_texts_for_a_reader_that_left(arguments: tuple[str, ...], speech: Path) -> None:
    assert left("transcribe", str(KEPT), str(speech), *arguments) == (141, "transcribe …\n")


def left(*arguments: str) -> tuple[int, str]:
    """Exit code and standard error of a command whose output nobody reads any more."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*MYQASR, *arguments], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    return done.returncode, done.stderr


def test_closed_streams(tmp_path: Path) -> None:
    done = run("inspect", str(KEPT), shell=">&-")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "standard output is closed" in done.stderr
    done = run("inspect", str(KEPT), "--json", shell="2>&-")
    assert (done.returncode, json.loads(done.stdout)["family"]) == (0, "ctc")
    assert run("inspect", str(tmp_path), shell=">&- 2>&- <&-").returncode == 2


def test_help_and_answers_under_ascii() -> None:
    done = run("quantize", "--help", **ASCII)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    done = run("inspect", "bündel", **ASCII)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.isascii()
    done = run("models", "--json", **ASCII)
    assert json.loads(done.stdout)["models"]


@pytest.mark.parametrize("columns", ["20", "0", "x"])
def test_any_width(columns: str) -> None:
    assert run("inspect", str(KEPT), COLUMNS=columns).returncode == 0


def usual_interrupt() -> None:
    """A test run in the background ignores Ctrl-C, and its children would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_says_its_word() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", NAPPING, "models"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=usual_interrupt,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "myqasr: interrupted\n")


def test_remarks_without_room_stop_no_work(speech: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    done = run("transcribe", str(KEPT), str(speech), "--json", shell="2>/dev/full")
    assert (done.returncode, len(json.loads(done.stdout)["transcripts"])) == (0, 1)
    assert run("transcribe", str(KEPT), "missing.wav", shell="2>/dev/full").returncode == 2


def test_a_current_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    command = 'mkdir gone; cd gone; rmdir ../gone; "$@"'
    done = subprocess.run(
        ["bash", "-c", command, "bash", *MYQASR, "models"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "myqasr: the current folder exists no more (cd to another one)\n"


@pytest.mark.parametrize("columns", ["³", "99999999999", "x", "0"])
def test_a_width_that_is_none_is_forgotten(columns: str) -> None:
    done, usual = run("inspect", str(KEPT), COLUMNS=columns), run("inspect", str(KEPT), COLUMNS="")
    assert (done.returncode, done.stdout, done.stderr) == (0, usual.stdout, "")
