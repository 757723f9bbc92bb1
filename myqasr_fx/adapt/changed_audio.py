"""A recording as it might have sounded too: a little faster or slower, with gaps, with noise."""

from __future__ import annotations

import numpy as np
from scipy.signal import resample_poly

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.runtime.chunks import CHUNK_SECONDS

SPEEDS = ((1, 1), (9, 10), (11, 10))
"""Numbers of samples, after and before, that are drawn from."""

LONGEST = int(CHUNK_SECONDS * SAMPLING_RATE)
"""Samples that a Whisper hears."""

GAPS = 2
GAP_SECONDS = (0.02, 0.08)
DECIBELS = (10.0, 25.0)
"""White noise lies so far below the recording."""


def changed(samples: np.ndarray, generator: np.random.Generator, *, keep_speed: bool = False) -> np.ndarray:
    """A tenth faster or slower or neither, with two gaps of 20 to 80 ms and noise 10 to 25 dB below it.

    A clip that would be longer than a model hears is not made slower: the words at its end would be gone.

    Args:
        samples: (T,) float32 at 16 kHz.
        generator: Draws the change.
        keep_speed: As fast as it is, for models whose frames are compared.

    Returns:
        (T',) float32; T' is T where the speed is kept.
    """
    up, down = (1, 1) if keep_speed else SPEEDS[generator.integers(len(SPEEDS))]
    if len(samples) * up > LONGEST * down:
        up, down = 1, 1
    audio = np.asarray(resample_poly(samples, up, down), np.float32) if up != down else samples.copy()
    for _ in range(GAPS):
        length = int(generator.uniform(*GAP_SECONDS) * SAMPLING_RATE)
        start = int(generator.integers(max(1, len(audio) - length)))
        audio[start : start + length] = 0
    return noisy(audio, generator.uniform(*DECIBELS), generator)


def noisy(samples: np.ndarray, decibels: float, generator: np.random.Generator) -> np.ndarray:
    """With white noise so far below it."""
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-decibels / 20)
    return np.asarray(samples + level * generator.standard_normal(len(samples)), np.float32)
