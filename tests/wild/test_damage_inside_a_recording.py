"""A recording whose header and length are right, and whose middle is not sound: one error, wherever it shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx.audio import load_audio
from myqasr_fx.audio.decode import read_header
from myqasr_fx.audio.load import load_windows
from myqasr_fx.errors import AudioError

RATE, SECONDS = 16_000, 4


@pytest.fixture
def overwritten(tmp_path: Path) -> Path:
    """A FLAC file with zeros in the place of its frames from the first second on, as a bad card leaves it."""
    path = tmp_path / "a.flac"
    samples = np.random.default_rng(0).normal(0, 0.1, RATE * SECONDS).astype(np.float32)
    soundfile.write(path, samples, RATE)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 5].ljust(len(content), b"\0"))
    return path


def test_the_library_fails_where_it_seeks(overwritten: Path) -> None:
    with soundfile.SoundFile(overwritten) as file, pytest.raises(soundfile.LibsndfileError):
        file.seek(2 * RATE)


@pytest.mark.parametrize("start", [1.0, 2.0, 3.5])
def test_a_window_of_it_is_one_error(overwritten: Path, start: float) -> None:
    header = read_header(overwritten)
    assert header.seekable
    with pytest.raises(AudioError) as caught:
        list(load_windows(overwritten, header, [start], 0.5))
    assert str(caught.value).startswith(f"{overwritten}: is damaged or truncated")
    assert "\n" not in str(caught.value)


def test_all_of_it_is_one_error(overwritten: Path) -> None:
    with pytest.raises(AudioError, match="is damaged or truncated"):
        load_audio(overwritten)
