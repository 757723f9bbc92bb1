"""Audio of any length as chunks that a model takes, cut where it is quiet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from myqasr_fx.audio.clip import SAMPLING_RATE, Clip
from myqasr_fx.audio.load import iter_windows
from myqasr_fx.audio.mono import Tell, ignore

CHUNK_SECONDS = 30.0
"""Longest chunk: what Whisper's encoder takes."""

_SEARCH_SECONDS = (25.0, 29.5)
"""Where in a full chunk to look for a quiet place; the half second left over makes the next chunk long enough."""

_FRAME_SECONDS = 0.1


def iter_chunks(audio: str | Path | np.ndarray, tell: Tell = ignore) -> Iterator[np.ndarray]:
    """Chunks (T,) float32 at 16 kHz of at most 30 s that join to ``audio``, in memory that a few chunks bound.

    Args:
        audio: File, or samples (T,) float32 at 16 kHz.
        tell: Told when the channels of a file cancel each other out.

    Raises:
        AudioError: The audio cannot be used.
    """
    if isinstance(audio, np.ndarray):
        yield from _cut([Clip(None, audio).samples])
    else:
        yield from _cut(iter_windows(audio, CHUNK_SECONDS, tell))


def _cut(windows: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    size = round(CHUNK_SECONDS * SAMPLING_RATE)
    held = np.zeros(0, np.float32)
    for window in windows:
        held = np.concatenate([held, window])
        while len(held) > size:
            stop = _quiet_place(held[:size])
            yield held[:stop]
            held = held[stop:]
    if len(held):
        yield held


def _quiet_place(chunk: np.ndarray) -> int:
    """Sample in the middle of the quietest frame of the search range."""
    start, stop = (round(seconds * SAMPLING_RATE) for seconds in _SEARCH_SECONDS)
    frame = round(_FRAME_SECONDS * SAMPLING_RATE)
    energy = np.square(chunk[start:stop].reshape(-1, frame)).sum(axis=1)
    return start + int(energy.argmin()) * frame + frame // 2
