import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx.cli import evaluate
from myqasr_fx.cli.app import main
from myqasr_fx.runtime import Transcript


class Deaf:
    """A runtime that always hears the same."""

    model_bytes = 1234

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        return [Transcript("red house", (), len(samples) / 16_000, language) for samples in clips]


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(evaluate, "_open", lambda target: Deaf())
    soundfile.write(tmp_path / "a.wav", np.ones(16_000, np.float32) / 2, 16_000)
    rows = [("red house", "en", "F"), ("red mouse", "en", "M"), ("ein rotes altes haus", "de", "F")]
    lines = [{"audio": "a.wav", "text": text, "lang": lang, "gender": gender} for text, lang, gender in rows]
    path = tmp_path / "manifest.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "model", *arguments])
    return (int(stop.value.code or 0), *capsys.readouterr())


@pytest.mark.parametrize(
    ("arguments", "utterances", "wer"),
    [
        ((), 3, 5 / 8),
        (("--filter", "lang=en"), 2, 1 / 4),
        (("--filter", "lang=en", "--filter", "gender=M"), 1, 1 / 2),
        (("--limit", "1"), 1, 0.0),
    ],
)
def test_scores_the_chosen_lines(
    manifest: Path, arguments: tuple[str, ...], utterances: int, wer: float, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "--manifest", str(manifest), *arguments, "--json")
    result = json.loads(out)
    assert (code, result["utterances"], result["bytes"]) == (0, utterances, 1234)
    assert result["wer"] == pytest.approx(wer)
    assert {"cer", "wer_ci95", "rtf"} <= set(result)
    assert len(result["wer_ci95"]) == 2


def test_view_names_what_was_measured(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--manifest", str(manifest))
    assert code == 0
    assert "62.50%" in out
    assert "3 with 8 words, 3.0 s" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--manifest", "/nowhere.jsonl"),
        ("--filter", "lang"),
        ("--filter", "lang=xx"),
        ("--filter", "colour=red"),
        ("--limit", "0"),
        ("--limit", "many"),
    ],
)
def test_bad_input_is_one_line(manifest: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--manifest", str(manifest), *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_unknown_model(manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.undo()
    code, _, err = run(capsys, "--manifest", str(manifest))
    assert code == 2
    assert "unknown model 'model'" in err
