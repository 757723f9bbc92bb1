"""What every decoder of a file offers, and what is asked of any file before its samples are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from myqasr_fx.errors import AudioError

RATES = (4_000, 384_000)
"""Hz, lowest and highest. A file of a few kilobytes that declares 1 Hz would become hours of samples."""

MOST_SECONDS = 1_000 * 3_600
"""Longest recording: more is a header's mistake."""


class Decoder(Protocol):
    """An open file that gives its samples block by block."""

    @property
    def frames(self) -> int | None:
        """Samples a channel; None where only decoding to the end tells."""

    @property
    def rate(self) -> int:
        """Hz, of all samples that :meth:`read` gives."""

    @property
    def channels(self) -> int:
        """Channels at the beginning."""

    @property
    def seekable(self) -> bool:
        """True where any place can be reached without decoding what is before it."""

    def seek(self, frame: int) -> None:
        """Goes on at a sample; only where ``seekable``."""

    def read(self, frames: int) -> np.ndarray:
        """The next samples (T, C) float32: at least one, at most ``frames``; none at the end.

        Raises:
            AudioError: Decoding fails, or the file ends before the length in its header.
        """


@dataclass(frozen=True, slots=True)
class AudioHeader:
    """What opening a file tells.

    Args:
        frames: Samples a channel.
        rate: Hz.
        seekable: False where samples need the ones before them: MP3, and the containers that PyAV reads.
    """

    frames: int
    rate: int
    seekable: bool

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.rate


def check_rate(rate: int, path: Path) -> None:
    """Checks that a sampling rate is one of recorded sound.

    Raises:
        AudioError: It is not.
    """
    least, most = RATES
    if not least <= rate <= most:
        raise AudioError(f"{path}: has a sampling rate of {rate} Hz, expected {least:,} to {most:,} Hz")


def check_frames(frames: int, rate: int, path: Path) -> None:
    """Checks that a file holds samples, and not more than any recording does.

    Raises:
        AudioError: It does not.
    """
    if not frames:
        raise AudioError(f"{path}: holds no samples")
    if frames > MOST_SECONDS * rate:
        raise AudioError(f"{path}: declares {frames / rate / 3600:,.0f} h, expected at most {MOST_SECONDS // 3600:,} h")


def truncated(path: Path) -> AudioError:
    """The error for a file that is cut off."""
    return AudioError(f"{path}: is truncated, it ends before the length in its header", hint="copy the file again")
