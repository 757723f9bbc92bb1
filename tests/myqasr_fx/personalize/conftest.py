from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx.personalize.ledger import Cell, Row, full_cell

RATE = 16_000


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three speakers with five half-second recordings of noise each, two of them in the split ``test``."""
    folder = tmp_path_factory.mktemp("speakers")
    random = np.random.default_rng(0)
    lines = []
    for speaker in ("ann", "bob", "cid"):
        for index in range(5):
            name = f"{speaker}{index}.wav"
            soundfile.write(folder / name, random.normal(0, 0.1, RATE // 2), RATE, subtype="FLOAT")
            split = "test" if index > 2 else "calib"
            lines.append({"audio": name, "text": "A B", "lang": "en", "speaker": speaker, "split": split})
    lines.append({"audio": "ann0.wav", "text": "A", "lang": "en", "speaker": None, "split": "test"})
    path = folder / "manifest.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


@pytest.fixture
def rows() -> Callable[..., list[Row]]:
    """Rows of a way to quantize: test group to the errors of its utterances of ten words, by calibration."""

    def make(calibration: str, errors: dict[str, Sequence[int]], recipe: str = "r", seed: int = 0) -> list[Row]:
        return [
            Row(
                full_cell(test) if not calibration else Cell(recipe, "avg=3", 2, seed, calibration, test),
                f"{test}{index}.wav",
                count,
                10,
            )
            for test, counts in errors.items()
            for index, count in enumerate(counts)
        ]

    return make
