"""A file as blocks of mono samples, with whichever decoder reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from myqasr_fx.audio.container import container_of, open_container
from myqasr_fx.audio.decoder import AudioHeader, Decoder, check_frames, check_rate, truncated
from myqasr_fx.audio.mono import MonoMixer, Tell, ignore
from myqasr_fx.audio.sndfile import open_soundfile
from myqasr_fx.audio.unusable import EXTRA
from myqasr_fx.errors import AudioError

_BLOCK_SECONDS = 10

_BLOCK_VALUES = 8_000_000
"""Most samples of all channels in a block, however many channels and of whatever rate a file declares."""


def read_header(path: Path) -> AudioHeader:
    """Length and rate of a file; decodes all of it where only that tells.

    Raises:
        AudioError: The file is empty, no audio, or truncated as far as its header shows.
    """
    with open_audio(path) as decoder:
        frames = decoder.frames
        if frames is None:
            frames = sum(len(block) for block in read_blocks(decoder, path, None))
            check_frames(frames, decoder.rate, path)
        return AudioHeader(frames, decoder.rate, decoder.seekable)


@contextmanager
def open_audio(path: Path) -> Iterator[Decoder]:
    """Opens a file with soundfile, or else with PyAV.

    Raises:
        AudioError: The file cannot be opened, is empty, no audio, of an impossible rate or length, or truncated as far
            as its header shows.
    """
    try:
        if not path.stat().st_size:
            raise AudioError(f"{path}: is empty")
        with open_soundfile(path) as decoder:
            if decoder is not None:
                yield _checked(decoder, path)
                return
        form = container_of(path)
        if form is None:
            hint = f"WAV, FLAC, OGG and MP3 can be read; M4A, MP4, WebM, WMA and AMR with {EXTRA}"
            raise AudioError(f"{path}: is no audio, or damaged", hint=None if find_spec("av") else hint)
        with open_container(path, form) as container:
            yield _checked(container, path)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror}") from error


def read_blocks(decoder: Decoder, path: Path, frames: int | None, tell: Tell = ignore) -> Iterator[np.ndarray]:
    """Mono blocks (T,) float32 of about 10 s from the file's position on.

    Args:
        decoder: The open file.
        path: Its name, for errors.
        frames: Exactly so many; None for all there are.
        tell: Told when the channels cancel each other out.

    Raises:
        AudioError: Decoding fails or the file ends before ``frames``.
    """
    mix = MonoMixer(tell)
    left = frames
    size = max(min(_BLOCK_SECONDS * decoder.rate, _BLOCK_VALUES // decoder.channels), 1)
    while left is None or left > 0:
        block = decoder.read(size if left is None else min(size, left))
        if not len(block):
            break
        left = None if left is None else left - len(block)
        yield mix(block)
    if left:
        raise truncated(path)


def _checked(decoder: Decoder, path: Path) -> Decoder:
    check_rate(decoder.rate, path)
    if decoder.frames is not None:
        check_frames(decoder.frames, decoder.rate, path)
    return decoder
