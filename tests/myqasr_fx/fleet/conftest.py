"""Users whose recordings are noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """Ann and Bob with two recordings of noise each; Cid with a file that is no audio; a hidden folder."""
    random, place = np.random.default_rng(0), tmp_path / "users"
    for name, shape in (("ann", np.cumsum), ("bob", np.diff)):
        (place / name).mkdir(parents=True)
        for index in range(2):
            samples = shape(random.normal(0, 0.1, 16_000))
            soundfile.write(place / name / f"{index}.wav", 0.3 * samples / np.abs(samples).max(), 16_000)
    (place / "cid").mkdir()
    (place / "cid" / "0.wav").write_bytes(b"no audio")
    (place / ".hidden").mkdir()
    return place
