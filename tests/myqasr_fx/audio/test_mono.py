"""One channel out of many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.audio import iter_windows, load_audio, select_clips
from myqasr_fx.audio.mono import CANCELLED, MonoMixer

Record = Callable[..., Path]


def noise(seed: int, size: int = 32_000) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, size).astype(np.float32)


@pytest.mark.parametrize("gain", [0.99, 0.9])
def test_channels_that_cancel_give_the_loudest(gain: float) -> None:
    told: list[str] = []
    mix = MonoMixer(told.append)
    voice = noise(0)
    block = np.stack([-gain * voice, voice], axis=1)
    np.testing.assert_array_equal(mix(block), voice)
    np.testing.assert_array_equal(mix(block[:, ::-1]), -gain * voice)  # the same channel to the file's end
    assert told == [CANCELLED]


@pytest.mark.parametrize(
    "block",
    [
        np.stack([noise(0), noise(1)], axis=1),
        np.stack([noise(0), np.zeros(32_000, np.float32)], axis=1),
        np.stack([noise(0), *[np.zeros(32_000, np.float32)] * 31], axis=1),
        np.stack([noise(0), -0.5 * noise(0)], axis=1),
        np.zeros((32_000, 2), np.float32),
        np.full((10, 2), np.nan, np.float32),
        noise(0)[:, None],
    ],
    ids=["unrelated", "one silent", "31 silent", "half cancelled", "silent", "nan", "mono"],
)
def test_other_channels_are_averaged(block: np.ndarray) -> None:
    told: list[str] = []
    np.testing.assert_array_equal(MonoMixer(told.append)(block), block.mean(axis=1, dtype=np.float32))
    assert told == []


def test_a_stereo_file_in_antiphase_is_heard_and_noted(record: Record) -> None:
    voice = noise(0, 64_000)
    path = record("a.wav", np.stack([voice, -voice], axis=1), subtype="FLOAT")
    np.testing.assert_array_equal(load_audio(path).samples, voice)
    told: list[str] = []
    np.testing.assert_array_equal(np.concatenate(list(iter_windows(path, 1.0, told.append))), voice)
    assert told == [CANCELLED]
    assert select_clips([path, record("b.wav")]).note == f"in 1 of 2 recordings {CANCELLED}"
