"""A stretch of audio in the form that every model takes."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from myqasr_fx.errors import AudioError

SAMPLING_RATE = 16_000
"""Hz."""

MIN_SAMPLES = 400
"""Fewest samples of a clip: one analysis window of 25 ms."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Mono audio at 16 kHz.

    Args:
        path: File it comes from; None for samples given as an array.
        samples: (T,) float32, finite, not all zero, at least 25 ms.
        start: Where it begins in its source, in seconds.

    Raises:
        AudioError: The samples are of another type or shape, too few, not finite, or all zero.
    """

    path: Path | None
    samples: np.ndarray
    start: float = 0.0

    def __post_init__(self) -> None:
        check_samples(self.samples, self.name)

    @property
    def name(self) -> str:
        """The path, or ``array``."""
        return "array" if self.path is None else str(self.path)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLING_RATE

    @property
    def sha256(self) -> str:
        """Hex digest of the samples."""
        return hashlib.sha256(self.samples.tobytes()).hexdigest()


def base_name(path: Path) -> str:
    """A file's name without its folder, fit for any text: bytes that are no UTF-8 are replaced."""
    return os.fsencode(path.name).decode("utf-8", "replace")


def check_samples(samples: np.ndarray, name: str) -> None:
    """Checks what a clip promises of its samples.

    Raises:
        AudioError: They are of another type or shape, too few, not finite, or all zero.
    """
    check_array(samples, name)
    check_length(len(samples) / SAMPLING_RATE, name)
    check_finite(samples, name)
    if not samples.any():
        raise silent(name)


def check_array(samples: np.ndarray, name: str) -> None:
    """Checks type and shape of samples.

    Raises:
        AudioError: They are not (T,) float32.
    """
    if not isinstance(samples, np.ndarray) or samples.dtype != np.float32 or samples.ndim != 1:
        got = f"{samples.dtype} {samples.shape}" if isinstance(samples, np.ndarray) else type(samples).__name__
        raise AudioError(f"{name}: samples are {got}, expected float32 of shape (T,) at 16 kHz")


def check_length(seconds: float, name: str) -> None:
    """Checks that audio is long enough for one analysis window.

    Raises:
        AudioError: It is not.
    """
    least = MIN_SAMPLES / SAMPLING_RATE
    if seconds < least:
        raise AudioError(f"{name}: {seconds:.4f} s of audio, expected at least {least} s")


def check_finite(samples: np.ndarray, name: str) -> None:
    """Checks that no sample is NaN or infinite.

    Raises:
        AudioError: One is.
    """
    if not np.isfinite(samples).all():
        raise AudioError(f"{name}: holds NaN or infinite samples", hint="write the recording again")


def silent(name: str) -> AudioError:
    """The error for audio without sound."""
    return AudioError(f"{name}: every sample is zero", hint="check the recording's channel and level")


def clip_name(clip: Clip) -> str:
    """File name without its folder, with the start in seconds where the clip is not a recording's first."""
    name = "recording" if clip.path is None else base_name(clip.path)
    return f"{name} from {clip.start:g} s" if clip.start else name
