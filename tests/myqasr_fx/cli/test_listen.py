"""``myqasr listen`` on samples from standard input: machines that run tests have no microphone."""

from __future__ import annotations

import builtins
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from myqasr_fx import runtime
from myqasr_fx.cli.app import main
from myqasr_fx.runtime import Decoding, Transcript

KEPT = Path(__file__).parents[2] / "data" / "bundle"
RATE = 16_000


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Two phrases, on standard input; and an odd byte."""
    random = np.random.default_rng(0)
    parts = [np.zeros(RATE), random.normal(0, 0.1, 2 * RATE), np.zeros(RATE), random.normal(0, 0.1, 2 * RATE)]
    samples = np.clip(np.concatenate(parts) * 32768, -32768, 32767).astype("<i2")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(samples.tobytes() + b"x")))
    return samples.astype(np.float32) / 32768


class Meter:
    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        return [Transcript(f"{language} \x1b {len(clip) / RATE:.1f}", (), len(clip) / RATE) for clip in clips]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["listen", *arguments])
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


def test_a_line_for_each_phrase(
    sound: np.ndarray, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runtime, "load_bundle", lambda folder, settings: Meter())
    code, out, _ = run(capsys, "bundle", "-", "--language", "de")
    assert (code, out) == (0, "de \\x1b 2.9\nde \\x1b 2.3\n")


def test_texts_that_repeat_themselves_are_kept_where_asked(
    sound: np.ndarray, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Decoding] = []
    monkeypatch.setattr(runtime, "load_bundle", lambda folder, settings: Meter())
    monkeypatch.setattr(runtime, "with_decoding", lambda loaded, decoding: asked.append(decoding) or loaded)
    for words in ((), ("--keep-loops",)):
        assert run(capsys, "bundle", "-", *words)[0] == 0
    assert asked == [Decoding(), Decoding(redraws="never")]


def test_json_has_partial_texts_too(
    sound: np.ndarray, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runtime, "load_bundle", lambda folder, settings: Meter())
    code, out, _ = run(capsys, "bundle", "-", "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [said["final"] for said in told if said["final"]] == [True, True]
    assert [said["start"] for said in told if said["final"]] == [0.7, 3.7]
    assert sum(not said["final"] for said in told) >= 3


def test_partial_texts_are_written_over_each_other_on_a_terminal(
    sound: np.ndarray, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runtime, "load_bundle", lambda folder, settings: Meter())
    monkeypatch.setattr("myqasr_fx.cli.listen.on_terminal", lambda: True)
    code, out, _ = run(capsys, "bundle", "-")
    lines = out.split("\n")
    assert code == 0 and len(lines) == 3 and lines[2] == ""
    assert all(line.startswith("\r\x1b[2KNone") and line.count("\r\x1b[2K") >= 2 for line in lines[:2])


def test_a_bundle_on_standard_input(sound: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, str(KEPT), "-", "--json")
    finals = [json.loads(line) for line in out.splitlines()]
    assert code == 0, err
    heard = runtime.load_bundle(KEPT)
    for said in (one for one in finals if one["final"]):
        part = sound[round(said["start"] * RATE) : round(said["end"] * RATE)]
        assert said["text"] == heard.transcribe(part).text
    assert finals


@pytest.mark.parametrize("begin", [b"RIFF", b"fLaC", b"OggS", b"ID3"])
def test_a_file_is_not_heard_as_samples(
    begin: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runtime, "load_bundle", lambda folder, settings: Meter())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(begin + bytes(99_999))))
    said = "standard input: is a file, not raw 16-bit samples (`myqasr transcribe BUNDLE -` reads it)"
    assert run(capsys, "bundle", "-") == (2, "", f"myqasr: {said}\n")


def test_what_cannot_be_listened_to_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = builtins.__import__

    def without(missing: type[Exception]):  # type: ignore[no-untyped-def]
        def load(name: str, *rest: object):  # type: ignore[no-untyped-def]
            if name == "sounddevice":
                raise missing("PortAudio library not found")
            return real(name, *rest)  # type: ignore[arg-type]

        return load

    monkeypatch.setattr(sys, "stdin", None)
    for words, missing, said in (
        (("-",), None, "standard input: has no sound (send 16-bit samples at 16 kHz, one channel, into it)"),
        (("a.wav",), None, "source 'a.wav' (- is standard input; myqasr transcribe takes files)"),
        (("-", "--device", "3"), None, "--device beside standard input"),
        (("-", "--every", "99"), None, "standard input: has no sound"),
        ((), ModuleNotFoundError, "microphone: sounddevice is not installed (install myqasr-fx[listen], or send"),
        ((), OSError, "microphone: the library PortAudio is not installed (install PortAudio, on Debian libportaudio2"),
        (("-", "--task", "translate"), None, "task: a CTC model"),
    ):
        with monkeypatch.context() as patch:
            if missing is not None:
                patch.setattr(builtins, "__import__", without(missing))
            if "translate" in words:
                patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
            code, out, err = run(capsys, str(KEPT), *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith(f"myqasr: {said}")


def test_a_machine_without_a_microphone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The library is a stand-in: machines that run tests have no PortAudio."""
    devices = [{"max_input_channels": 0}]

    def fail(*settings: object, **others: object) -> None:
        raise ValueError("Error querying device -1")

    library = SimpleNamespace(PortAudioError=OSError, InputStream=fail, query_devices=lambda: devices)
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    without = "microphone: there is none (connect one, or send sound to `myqasr listen BUNDLE -`)"
    assert run(capsys, str(KEPT)) == (2, "", f"myqasr: {without}\n")
    named = "microphone: Error querying device -1 (name another with --device)"
    assert run(capsys, str(KEPT), "--device", "desk") == (2, "", f"myqasr: {named}\n")
    devices.append({"max_input_channels": 1})
    assert run(capsys, str(KEPT)) == (2, "", f"myqasr: {named}\n")
