"""The help of commands of many options: a screen of what is needed daily, and all of it."""

import pytest

from myqasr_fx.cli.app import main

ROWS = 25
DAILY = {"--audio", "--budget", "--out", "--force", "--effort", "--language", "--dry-run"}
ALWAYS = {"--json", "--debug", "--help", "--help-all"}


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["quantize", *arguments])
    assert not stop.value.code
    return capsys.readouterr().out


def options(text: str) -> set[str]:
    return {line.split()[1] for line in text.splitlines() if line.startswith("│ --")}


def test_help_is_one_screen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = shown(capsys, "--help")
    assert options(text) == DAILY | ALWAYS
    assert "MODEL" in text and "AUDIO" in text
    assert text.count("\n") <= ROWS


def test_help_all_has_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "--help-all")
    assert options(text) > DAILY | ALWAYS | {"--uniform-bits", "--rounding", "--layout", "--max-kl", "--embed-audio"}
    assert options(shown(capsys, "--help")) == DAILY | ALWAYS  # as before


def test_help_all_needs_no_model_and_no_option_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "--budget", "24MB", "--help-all") == shown(capsys, "--help-all")
    with pytest.raises(SystemExit) as stop:
        main(["quantize", "whisper-tiny.en", "--audio", __file__, "--uniform-bits", "9", "--out", "y"])
    assert stop.value.code == 2
    assert "uniform bits 9: expected" in capsys.readouterr().err


def test_transcribe_shows_what_is_needed_daily(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    texts = []
    for asked in ("--help", "--help-all"):
        with pytest.raises(SystemExit):
            main(["transcribe", asked])
        texts.append(capsys.readouterr().out)
    assert options(texts[0]) == {"--language", "--task", "--timestamps", "--format", "--out", "--force"} | ALWAYS
    assert texts[0].count("\n") <= ROWS + 2
    assert options(texts[1]) > options(texts[0]) | {"--beams", "--temperature-fallback", "--context", "--keep-graphs"}
