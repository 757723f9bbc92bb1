"""Sounds in which nobody speaks, made from seeds: noises, hums, tones and clicks, faint to loud."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

RATE = 16_000
LEVELS = ((-70, 6.0), (-50, 1.0), (-30, 6.0), (-15, 1.0))
"""Root mean square of a sound to full scale in dB, and its length in seconds."""

Make = Callable[[np.random.Generator, np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """One of them.

    Args:
        kind: Its name.
        level: dB.
        seed: Of its random numbers.
        samples: (T,) float32 at 16 kHz.
    """

    kind: str
    level: int
    seed: int
    samples: np.ndarray

    @property
    def name(self) -> str:
        """As in the rows of results."""
        return f"{self.kind} {self.level} dB {len(self.samples) / RATE:g} s, seed {self.seed}"


def silent_sounds(seed: int) -> Iterator[Sound]:
    """Every kind at every level."""
    for number, (kind, make) in enumerate(KINDS.items()):
        for level, seconds in LEVELS:
            random = np.random.default_rng((seed, number, -level, round(seconds)))
            raw = make(random, np.arange(round(seconds * RATE)) / RATE)
            scaled = raw * 10 ** (level / 20) / np.sqrt(np.mean(raw**2))
            yield Sound(kind, level, seed, np.clip(scaled, -1, 1).astype(np.float32))


def _coloured(power: float) -> Make:
    """Noise whose amplitude falls with ``frequency ** power``."""

    def make(random: np.random.Generator, time: np.ndarray) -> np.ndarray:
        spectrum = np.fft.rfft(random.standard_normal(len(time)))
        frequency = np.fft.rfftfreq(len(time), 1 / RATE)
        return np.fft.irfft(spectrum / np.maximum(frequency, 20) ** power, len(time))

    return make


def _band(low: float, high: float) -> Make:
    def make(random: np.random.Generator, time: np.ndarray) -> np.ndarray:
        spectrum = np.fft.rfft(random.standard_normal(len(time)))
        frequency = np.fft.rfftfreq(len(time), 1 / RATE)
        return np.fft.irfft(spectrum * ((frequency > low) & (frequency < high)), len(time))

    return make


def _hum(base: float, count: int) -> Make:
    def make(random: np.random.Generator, time: np.ndarray) -> np.ndarray:
        phases = random.uniform(0, 2 * np.pi, count)
        tones = [np.sin(2 * np.pi * base * k * time + phases[k - 1]) / k for k in range(1, count + 1)]
        return np.sum(tones, axis=0) + 0.02 * random.standard_normal(len(time))

    return make


def _dither(random: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """The last bit of a recorder that hears nothing."""
    return np.round(0.4 * random.standard_normal(len(time))) + 1e-9


def _clicks(random: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Keys and crackle: about six short bursts a second."""
    made = 1e-3 * random.standard_normal(len(time))
    for start in random.integers(0, len(time) - 400, max(2, round(6 * len(time) / RATE))):
        made[start : start + 400] += random.standard_normal(400) * np.exp(-np.arange(400) / 60)
    return made


def _gusts(random: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Wind: low noise that swells."""
    swell = 1 + np.sin(2 * np.pi * random.uniform(0.2, 0.6) * time + random.uniform(0, 6))
    return _coloured(1.0)(random, time) * (swell + 0.05)


def _engine(random: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Low noise that beats thirty times a second."""
    return _band(40, 600)(random, time) * (1 + np.sin(2 * np.pi * 30 * time))


def _chirps(random: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Birds: whistles of a tenth of a second that rise."""
    made = 1e-3 * random.standard_normal(len(time))
    for start in random.integers(0, len(time) - 1600, max(2, round(3 * len(time) / RATE))):
        t = np.arange(1600) / RATE
        made[start : start + 1600] += np.hanning(1600) * np.sin(2 * np.pi * (random.uniform(2e3, 4e3) + 6e3 * t) * t)
    return made


def _chord(random: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Three held notes that fade."""
    notes = 220 * 2 ** (random.integers(0, 12, 3) / 12)
    return np.sum([np.sin(2 * np.pi * note * time) for note in notes], axis=0) * np.exp(-time / 2)


KINDS: Mapping[str, Make] = {
    "white noise": _coloured(0),
    "pink noise": _coloured(0.5),
    "brown noise": _coloured(1),
    "hiss above 4 kHz": _band(4000, 8000),
    "telephone band noise": _band(300, 3400),
    "hum of 50 Hz": _hum(50, 3),
    "buzz of 60 Hz": _hum(60, 30),
    "dither": _dither,
    "clicks": _clicks,
    "wind": _gusts,
    "engine": _engine,
    "chirps": _chirps,
    "tone of 1 kHz": _hum(1000, 1),
    "chord": _chord,
}
