"""Texts of others, on the terminal and in JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx import runtime
from myqasr_fx.cli.app import main
from myqasr_fx.cli.visible import json_text, shown, visible
from myqasr_fx.runtime import Transcript

STEERING = {
    "\x1b[31mred": "\\x1b[31mred",
    "a\nmyqasr: forged": "a\\nmyqasr: forged",
    "a\rb\tc\x07\x08\x00": "a\\rb\\tc\\x07\\x08\\x00",
    "\x7f\x9b31m": "\\x7f\\x9b31m",
    "\u202egnp.exe\u2066\u200f": "\\u202egnp.exe\\u2066\\u200f",
    "a\u2028b": "a\\u2028b",
    "no UTF-8: \udcff": "no UTF-8: \\udcff",
}
HARMLESS = ["grün ß 日本語 עברית 👍🏽", "می‌خواهم", "[red]no markup[/red]"]


@pytest.mark.parametrize(("text", "expected"), STEERING.items(), ids=[ascii(t) for t in STEERING])
def test_what_steers_a_terminal_is_escaped(text: str, expected: str) -> None:
    assert visible(text) == expected
    assert shown(text).plain == expected
    for ascii_only in (False, True):
        printed = json_text({"text": text}, ascii_only=ascii_only)
        assert json.loads(printed) == {"text": text}
        assert printed.count("\n") == 2
        assert visible(printed.replace("\n", "")) == printed.replace("\n", "")


@pytest.mark.parametrize("text", HARMLESS)
def test_other_texts_stay(text: str) -> None:
    assert shown(text).plain == text
    assert text in json_text({"text": text}, ascii_only=False)


class Hostile:
    """Hears what steers a terminal."""

    def transcribe(self, audio: Path, language: str | None = None) -> Transcript:
        return Transcript("\x1b]0;title\x07\nmyqasr: forged \u202e", (), 1.0, language)


def test_transcripts_and_names_are_printed_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runtime, "load_bundle", lambda folder, settings: Hostile())
    names = ["a\x1b[31m.wav", "b\nmyqasr: forged.wav"]
    for name in names:
        soundfile.write(tmp_path / name, np.ones(1600, np.float32) / 2, 16_000, format="WAV")
    (tmp_path / "c\x9b\n.wav").write_bytes(b"")
    with pytest.raises(SystemExit) as stop:
        main(["transcribe", "bundle", *(str(path) for path in sorted(tmp_path.iterdir()))])
    out, err = capsys.readouterr()
    assert not stop.value.code
    assert out.count("\n") == 3
    assert not set(out + err) & set("\x1b\x07\x9b\u202e")
    with pytest.raises(SystemExit) as stop:
        main(["transcribe", "bundle", str(tmp_path / "no\x1b\u202e\nmyqasr: forged")])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
