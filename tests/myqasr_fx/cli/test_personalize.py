from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx.cli.app import main
from myqasr_fx.models import load


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    lines = []
    for name in ("f0", "f1", "m0", "m1"):
        soundfile.write(tmp_path / f"{name}.wav", random.normal(0, 0.1, 8000), 16_000, subtype="FLOAT")
        lines.append({"audio": f"{name}.wav", "text": "A B", "gender": name[0].upper()})
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path / "manifest.jsonl"


def run(capsys: pytest.CaptureFixture[str], manifest: Path, *arguments: str) -> tuple[int, str, str]:
    fixed = ("--data", str(manifest), "--by", "gender", "--out", str(manifest.parent / "out"))
    with pytest.raises(SystemExit) as stop:
        main(["personalize", "model", *fixed, *arguments])
    return (int(stop.value.code or 0), *capsys.readouterr())


def test_matrices_and_an_answer(
    manifest: Path, make_speech_model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(load, "load_model", lambda name: make_speech_model("smallest"))
    arguments = ("--budgets", "avg=4", "--clips", "1", "--recipe", "paper", "--activation-bits", "6", "--no-plot")
    code, out, _ = run(capsys, manifest, *arguments)
    assert code == 0
    assert "paper:activation_bits=6, avg=4, 1 clip: wer, %" in out
    for word in ("full precision", "noise", "everybody else", "Does calibrating on me help?", "sign test p = "):
        assert word in out
    code, out, _ = run(capsys, manifest, *arguments, "--json")
    result = json.loads(out)
    assert (code, len(result["matrices"][0]["cells"])) == (0, 10)
    assert {"utterances.csv", "matrices.csv", "result.json"} <= {p.name for p in (manifest.parent / "out").iterdir()}


def test_the_distance_from_full_precision_is_told(
    manifest: Path, make_speech_model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(load, "load_model", lambda name: make_speech_model("smallest"))
    arguments = ("--budgets", "avg=4", "--clips", "1", "--recipe", "paper", "--no-plot", "--no-control")
    code, out, _ = run(capsys, manifest, *arguments, "--metric", "divergence")
    assert code == 0
    assert "paper, avg=4, 1 clip: divergence, nats" in out
    assert "Divergence 0." in out
    assert "wer" not in out
    code, _, err = run(capsys, manifest, *arguments)
    assert (code, "holds an experiment with another texts" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--clips", "none", "--budgets", "avg=4"), "clips 'none'"),
        (("--clips", "1", "--budgets", "much"), "not a size"),
        (("--clips", "1", "--budgets", "avg=4", "--metric", "loudness"), "metric 'loudness'"),
        (("--clips", "9", "--budgets", "avg=4"), "9 recordings to calibrate on"),
        (("--clips", "1", "--budgets", "avg=4", "--activation-bits", "6"), "keeps activations in float"),
    ],
)
def test_bad_input_is_one_line(
    manifest: Path, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, manifest, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
