"""A model of the shapes of whisper-small, from its folder to the judged bundle, within a bound of memory.

Takes ten minutes, so that it is deselected unless asked for: ``pytest -n0 -m large``.
"""

from __future__ import annotations

import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from random_whisper import write_model
from sampled_run import sampled_run

MOST_BYTES = 2_500_000_000
"""In memory at once beside what files hold; the libraries take 0.4 GB, and 2.1 GB were measured of speech as long."""


def recordings(folder: Path) -> list[Path]:
    """Eight of noise, between two and eight seconds: random weights hear nothing else in speech."""
    generator = np.random.default_rng(0)
    paths = [folder / f"{seconds}.wav" for seconds in (2, 3, 4, 5, 6, 7, 7.5, 8)]
    for path in paths:
        samples = generator.normal(0, 3000, int(16000 * float(path.stem))).astype("<i2")
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(samples.tobytes())
    return paths


@pytest.mark.large
@pytest.mark.slow
def test_a_small_whisper_takes_no_more_memory_than_its_bound(tmp_path: Path) -> None:
    weights = write_model(tmp_path / "small", "small", torch.float16)
    clips, budget = recordings(tmp_path), str(round(0.64 * weights))
    out = tmp_path / "bundle"
    asked = ["--language", "en", "--budget", budget, "--out", out]
    run = sampled_run([sys.executable, "-m", "myqasr_fx", "quantize", tmp_path / "small", *clips, *asked], {})
    assert run.code in (0, 3), run.said  # accepted or rejected: the weights are random
    assert sum(path.stat().st_size for path in out.glob("*.onnx*")) <= int(budget)
    assert run.peak.own <= MOST_BYTES, {name: peak for name, (peak, _) in run.stages.items()}
