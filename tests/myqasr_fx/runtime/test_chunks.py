from __future__ import annotations

import numpy as np
import pytest
import soundfile

from myqasr_fx.errors import AudioError
from myqasr_fx.runtime.chunks import iter_chunks

RATE = 16_000


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(round(seconds * RATE)).astype(np.float32) / 10


@pytest.mark.parametrize("seconds", [0.5, 30.0, 30.01, 75.3])
def test_chunks_join_to_the_audio_and_fit(seconds):
    samples = noise(seconds)
    chunks = list(iter_chunks(samples))
    np.testing.assert_array_equal(np.concatenate(chunks), samples)
    assert all(400 <= len(chunk) <= 30 * RATE for chunk in chunks)
    assert len(chunks) == 1 if seconds <= 30 else len(chunks) > 1


def test_cut_falls_into_the_pause():
    samples = noise(40)
    samples[27 * RATE : round(27.3 * RATE)] = 0
    first = next(iter_chunks(samples))
    assert 27 * RATE <= len(first) <= 27.3 * RATE


def test_file_gives_the_chunks_of_its_samples(tmp_path):
    samples = noise(65)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    for from_file, from_array in zip(iter_chunks(tmp_path / "a.wav"), iter_chunks(samples), strict=True):
        np.testing.assert_array_equal(from_file, from_array)


def test_unusable_samples_are_refused():
    with pytest.raises(AudioError, match="zero"):
        list(iter_chunks(np.zeros(RATE, np.float32)))
