"""Samples at 16 kHz from files and arrays: whole, as a stream of windows, or one window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soxr

from myqasr_fx.audio.clip import MIN_SAMPLES, SAMPLING_RATE, Clip, check_finite, silent
from myqasr_fx.audio.decode import open_audio, read_blocks
from myqasr_fx.audio.decoder import AudioHeader, check_frames
from myqasr_fx.audio.find import expanded
from myqasr_fx.audio.mono import Tell, ignore


def load_audio(path: str | Path) -> Clip:
    """The whole file, in memory.

    Raises:
        AudioError: The file is missing, empty, truncated, no audio, shorter than 25 ms, all zero, or holds NaN.
    """
    path = expanded(path)
    return Clip(path, np.concatenate(list(_resampled(path, ignore)) or [np.zeros(0, np.float32)]))


def iter_windows(path: str | Path, seconds: float = 30.0, tell: Tell = ignore) -> Iterator[np.ndarray]:
    """Windows (T,) float32 at 16 kHz of ``seconds`` each, the last one shorter, in memory that a window bounds.

    A last window below 25 ms is left out.

    Args:
        path: File.
        seconds: Length of a window.
        tell: Told when the channels cancel each other out.

    Raises:
        AudioError: As :func:`load_audio`, when the stream gets there: NaN at its place, all zero at the end.
    """
    path = expanded(path)
    size = round(seconds * SAMPLING_RATE)
    sounds = False
    for index, window in enumerate(_cut(_resampled(path, tell), size)):
        if len(window) < MIN_SAMPLES and index:
            continue
        sounds = sounds or bool(window.any())
        if index == 0 and len(window) < size:
            Clip(path, window)  # the whole file: complains when it is too short
        yield window
    if not sounds:
        raise silent(str(path))


def load_windows(
    path: Path, header: AudioHeader, starts: Sequence[float], seconds: float, tell: Tell = ignore
) -> Iterator[np.ndarray]:
    """Windows (T,) float32 at 16 kHz, in one pass over the file.

    Args:
        path: File.
        header: Its header.
        starts: Ascending begins in seconds, no closer than ``seconds``.
        seconds: Length of each; the file's end may cut the last.
        tell: Told when the channels cancel each other out.

    Raises:
        AudioError: A window cannot be decoded or holds NaN.
    """
    with open_audio(path) as decoder:
        position = 0
        for start in starts:
            first = round(start * header.rate)
            frames = min(round(seconds * header.rate), header.frames - first)
            if header.seekable:
                decoder.seek(first)
            else:
                for _ in read_blocks(decoder, path, first - position):
                    pass
            position = first + frames
            samples = np.concatenate(list(read_blocks(decoder, path, frames, tell)))
            check_finite(samples, str(path))
            yield np.asarray(soxr.resample(samples, header.rate, SAMPLING_RATE), np.float32)


def _resampled(path: Path, tell: Tell) -> Iterator[np.ndarray]:
    """Blocks of the whole file at 16 kHz."""
    with open_audio(path) as decoder:
        stream = soxr.ResampleStream(decoder.rate, SAMPLING_RATE, 1, dtype="float32")
        frames = 0
        for block in read_blocks(decoder, path, decoder.frames, tell):
            frames += len(block)
            check_finite(block, str(path))
            yield block if decoder.rate == SAMPLING_RATE else stream.resample_chunk(block)
        check_frames(frames, decoder.rate, path)
        if decoder.rate != SAMPLING_RATE:
            yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _cut(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The same samples in pieces of ``size``, the last one shorter."""
    held = np.zeros(0, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= size:
            yield held[:size].copy()
            held = held[size:]
    if len(held):
        yield held
