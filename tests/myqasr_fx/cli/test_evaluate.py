import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx import runtime
from myqasr_fx.cli import evaluate
from myqasr_fx.cli.app import main
from myqasr_fx.runtime import Transcript


class Deaf:
    """A runtime that always hears the same."""

    model_bytes = 1234

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        return [Transcript("red house", (1, 0), len(samples) / 16_000, language) for samples in clips]

    def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        return np.eye(3)


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(evaluate, "_open", lambda target, language: Deaf())
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
    lines = [" ".join(line.split()) for line in out.splitlines() if line.strip()]
    worst = ["4 errors a.wav", "said ein rotes altes haus", "heard red house"]
    assert lines[-6:] == [*worst, "1 error a.wav", "said red mouse", "heard red house"]


def test_baseline_is_compared(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--manifest", str(manifest), "--baseline", "another", "--json")
    compared = json.loads(out)["baseline"]
    assert (code, compared["model"], compared["wer_difference"], compared["kl"]) == (0, "another", 0, 0)
    assert (compared["agreement"], compared["positions"]) == (1, 9)
    rows = json.loads(out)["rows"]
    assert [(row["reference"], row["transcript"], row["words"]["errors"]) for row in rows] == [
        ("red house", "red house", 0),
        ("red mouse", "red house", 1),
        ("ein rotes altes haus", "red house", 4),
    ]
    assert rows[1]["audio"] == "a.wav" and rows[1]["baseline"]["transcript"] == "red house"
    code, out, _ = run(capsys, "--manifest", str(manifest), "--baseline", "another")
    assert code == 0
    assert "+0.00 points of WER, 95 % interval +0.00 to +0.00" in out
    assert "100.00% of 9 as the baseline's" in out
    assert "baseline  red house" in out


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


@pytest.mark.parametrize("silent", [1, 5])
def test_recordings_that_cannot_be_heard_are_told_before_any_is_scored(
    manifest: Path, silent: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Deaf, "transcribe_batch", lambda *_: pytest.fail("scored"))
    lines = manifest.read_text().splitlines()
    for at in range(silent):
        soundfile.write(manifest.with_name(f"{at}.wav"), np.zeros(16_000, np.float32), 16_000)
        lines.append(json.dumps({"audio": f"{at}.wav", "text": "nothing"}))
    manifest.write_text("\n".join(lines))
    code, out, err = run(capsys, "--manifest", str(manifest))
    assert (code, out) == (2, "")
    said = " ".join(err.split())
    assert "0.wav: every sample is zero" in said
    assert ("5 of 6 recordings: " in said and "; and 2 more (mend them" in said) is (silent == 5)


def test_unknown_model(manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.undo()
    code, _, err = run(capsys, "--manifest", str(manifest))
    assert code == 2
    assert "unknown model 'model'" in err


def test_bounds_of_no_speech_count_for_both(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[dict[str, float | None]] = []
    monkeypatch.setattr(runtime, "with_thresholds", lambda given, bounds: seen.append(bounds) or given)
    words = ("--baseline", "another", "--no-speech-threshold", "1", "--logprob-threshold", "-3")
    assert run(capsys, "--manifest", str(manifest), *words)[0] == 0
    bounds = {"no_speech_threshold": 1.0, "logprob_threshold": -3.0, "compression_ratio_threshold": None}
    assert seen == [bounds | {"vad_threshold": None}] * 2


def test_texts_that_repeat_themselves_are_kept_where_asked(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[object] = []
    monkeypatch.setattr(runtime, "without_redraws", lambda given: kept.append(given) or given)
    words = ("--manifest", str(manifest), "--baseline", "another")
    assert run(capsys, *words)[0] == 0 and not kept
    assert run(capsys, *words, "--keep-loops")[0] == 0 and len(kept) == 2


@pytest.mark.parametrize(
    ("model", "language", "expected"),
    [
        ("whisper-smallest", "de", "an English-only model knows no 'de' (take a multilingual model)"),
        ("whisper-smallest", "German", "an English-only model knows no 'German'"),
        ("smallest", "en", "a CTC model cannot be told language 'en' (leave the language out)"),
    ],
)
def test_a_language_that_the_model_cannot_be_told_is_no_option(
    manifest: Path,
    save_model: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: str,
    language: str,
    expected: str,
) -> None:
    monkeypatch.undo()
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", str(save_model(model)), "--manifest", str(manifest), "--language", language])
    err = capsys.readouterr().err
    assert stop.value.code == 2
    assert expected in err.splitlines()[-1]


def test_a_bundle_is_told_no_language_but_its_own(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.undo()
    folder = shutil.copytree(Path(__file__).parents[2] / "data" / "bundle", tmp_path / "bundle")

    def score() -> tuple[object, str]:
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", str(folder), "--manifest", str(manifest), "--language", "FRA", "--limit", "1"])
        return stop.value.code, capsys.readouterr().err

    code, err = score()
    assert code == 2
    assert "a CTC model cannot be told language 'FRA'" in err
    content = json.loads((folder / "myqasr.json").read_text())
    content["config"]["language"] = "fra"
    (folder / "myqasr.json").write_text(json.dumps(content))
    assert score()[0] == 0
