"""``quantize --adapt self`` from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

CLIPS = 9


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    folder = tmp_path / "audio"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for index in range(CLIPS):
        soundfile.write(folder / f"{index}.wav", noise.normal(0, 0.1, 20_000).astype(np.float32), 16_000)
    return folder


def test_the_result_says_what_became_of_it(
    model: Path, audio: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    options = ("--uniform-bits", "8", "--recipe", "paper-file", "--adapt", "self", "--cache", str(tmp_path / "cache"))
    out = tmp_path / "out"
    code, text, err = run("quantize", str(model), str(audio), "--out", str(out), *options, "--json")
    made = json.loads(text)
    assert code in (0, 3)
    assert made["config"]["adapt"] == "self"
    assert (made["adaptation"]["taught"], made["adaptation"]["decided"]) == (CLIPS // 2, CLIPS - CLIPS // 2)
    assert made["adaptation"]["adopted"] == (out / "learned.safetensors").exists()
    for stage in ("hear recordings", "learn from recordings", "hear them again", "compare what it learned"):
        assert stage in err
    assert "Learned" in (out / "report.html").read_text(encoding="utf-8")
    _, text, _ = run("inspect", str(out))
    assert "learned" in text
    again = tmp_path / "again"
    code, text, err = run("quantize", str(model), str(audio), "--out", str(again), *options, "--json")
    assert "learn from recordings" not in err  # kept
    assert json.loads(text)["files"] == made["files"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--adapt", "whisper-base"), "adapt 'whisper-base': expected none or self"),
        (("--adapt", "self", "--max-clips", "3"), "adapt 'self' with max clips 3: it needs 8"),
        (("--adapt", "self", "--layout", "sherpa-onnx"), "with adapt 'self'"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    options: tuple[str, ...],
    told: str,
    model: Path,
    audio: Path,
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
) -> None:
    before = sorted(tmp_path.iterdir())
    code, text, err = run(
        "quantize", str(model), str(audio), "--out", str(tmp_path / "out"), "--budget", "1MB", *options
    )
    assert (code, text) == (2, "")
    assert told in " ".join(err.split()) and "Traceback" not in err
    assert sorted(tmp_path.iterdir()) == before
