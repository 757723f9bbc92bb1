"""Inputs that cannot be used: told before torch is imported, and in words that name the options."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from myqasr_fx.cli.app import main


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    monkeypatch.chdir(tmp_path)
    Path("a.wav").touch()
    Path("-dash.wav").touch()
    Path("users/anna").mkdir(parents=True)

    def call(*words: str) -> str:
        with pytest.raises(SystemExit) as stop:
            main(words)
        out, err = capsys.readouterr()
        assert (stop.value.code, out, err.count("\n")) == (2, "", 1)
        return err

    return call


TINY = "whisper-tiny.en"
FLEET = ("fleet", TINY, "--out", "out")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("quantize", TINY, "none", "--budget", "24MB", "--out", "out"), "none: no such file or folder"),
        (("quantize", TINY, "users", "--budget", "24MB", "--out", "out"), "users: no audio found"),
        (("quantize", TINY, "a.wav", "--budget", "24MB", "--out", "users"), "users exists (choose another --out, or"),
        (
            ("quantize", "whisper-tiny", "a.wav", "--budget", "24MB", "--dry-run"),
            "did you mean whisper-tiny.en? ",
        ),
        ((*FLEET, "--users", "friend", "--budget", "24MB"), "myqasr: friend: no such file or folder\n"),
        (("fleet", "whisper-tiny", "--out", "out", "--users", "users"), "unknown model 'whisper-tiny'"),
        (
            ("quantize", TINY, "a.wav", "--out", "out"),
            "myqasr: no size was given: give --budget, such as 24MB, or --avg-bits, --uniform-bits\n",
        ),
        ((*FLEET, "--users", "users"), "myqasr: no size was given: give --budget, such as 24MB\n"),
        (
            ("quantize", TINY, "a.wav", "--budget", "24MB", "--out", "a.wav/p/out"),
            "/a.wav is no folder (choose another --out)\n",
        ),
        (
            ("quantize", TINY, "a.wav", "--budget", "24MB", "--out", "out", "--cache", "a.wav"),
            "myqasr: cache a.wav: is no folder (choose another --cache)\n",
        ),
        (
            ("quantize", TINY, "a.wav", "--budget", "24MB", "--dry-run", "--cache", "a.wav/deep/cache"),
            "myqasr: cache a.wav/deep/cache: a.wav is no folder (choose another --cache)\n",
        ),
        (
            ("quantize", TINY, "a.wav", "--budget", "24MB", "--out", "out", "--cache", "/proc/cache"),
            "myqasr: cache /proc/cache: No such file or directory (choose another --cache)\n",
        ),
        (
            (*FLEET, "--users", "users", "--budget", "24MB", "--cache", "a.wav"),
            "myqasr: cache a.wav: is no folder (choose another --cache)\n",
        ),
        (
            ("transcribe", "bundle", "a.wav", "--format", "doc"),
            "myqasr: Invalid value for '--format': 'doc' is not one of 'text', 'json', 'srt', 'vtt'; see `myqasr tr",
        ),
        (
            ("transcribe", "bundle", "-dash.wav"),
            "myqasr: No such option: -d; for the file of that name give ./-dash.wav, or -- before it\n",
        ),
        (("transcribe", "bundle", "-dasher.wav"), "No such option: -d; see `myqasr transcribe --help`\n"),
        (("quantise",), "No such command 'quantise'. Did you mean 'quantize'? (see `myqasr --help`)\n"),
    ],
)
def test_one_line_says_what_to_do(failing: Callable[..., str], words: tuple[str, ...], said: str) -> None:
    assert said in failing(*words)


def test_nothing_heavy_is_imported_for_it(tmp_path: Path, save_model: Callable[..., Path]) -> None:
    save_model("smallest")
    (tmp_path / "users" / "ann").mkdir(parents=True)
    work = (
        "import sys\n"
        "from myqasr_fx.cli.app import main\n"
        "words = [['quantize', 'x', 'a.wav', '--cache', 'a.wav']]\n"
        "words = [*words, ['quantize', 'x', 'a.wav'], ['quantize', 'x', 'none'], ['fleet', 'x', '--users', 'u']]\n"
        "words = [[*given, '--budget', '24MB'] for given in words]\n"
        "small = [['quantize', 'model', 'a.wav'], ['fleet', 'model', '--users', 'users']]\n"
        "for given in [*words, *([*given, '--budget', '4KB'] for given in small)]:\n"
        "    try: main([*given, '--out', 'o'])\n"
        "    except SystemExit as stop: print(stop.code, 'torch' in sys.modules or 'transformers' in sys.modules)\n"
    )
    (tmp_path / "a.wav").touch()
    ran = subprocess.run([sys.executable, "-c", work], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["2", "False"] * 6, ran.stderr
    assert "unknown model 'x'" in ran.stderr and "u: no such file or folder" in ran.stderr
    assert ran.stderr.count("a budget of 4,000 bytes is infeasible: the codes of") == 2
    assert not (tmp_path / "o").exists()
