"""Decoding a file in blocks with soundfile, and telling a truncated one from a whole one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from myqasr_fx.errors import AudioError

_BLOCK_SECONDS = 10

_UNKNOWN_LENGTH = 0x7FFFF000
"""Bytes of sound from which on a header means 'until the end of the file', as programs write it into a pipe."""

_DECLARED = re.compile(r"^\s*(?:data|SSND|Data Size|riff)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
"""libsndfile's remark on a header that declares other bytes of sound than the file holds."""

_SLACK = 16
"""Bytes by which headers of whole files may be wrong: padding, and fields counted in or left out."""

_OGG_END = 0x04
"""Flag of the last page of an Ogg stream. Source: RFC 3533, section 6."""


class _ForwardFile(soundfile.SoundFile):
    """A file that does not seek to where it is after each read, on which the MP3 decoder would complain."""

    def seekable(self) -> bool:
        """False; ``seek`` works all the same."""
        return False


@dataclass(frozen=True, slots=True)
class AudioHeader:
    """What opening a file tells.

    Args:
        frames: Samples a channel.
        rate: Hz.
        seekable: False for MP3, whose frames need the ones before them.
    """

    frames: int
    rate: int
    seekable: bool

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.rate


def read_header(path: Path) -> AudioHeader:
    """Length and rate of a file.

    Raises:
        AudioError: The file is empty, no audio, or truncated as far as its header shows.
    """
    with open_audio(path) as file:
        known = _knows_length(file, path)
        frames = file.frames if known else sum(len(block) for block in read_blocks(file, path, None))
        if not frames:
            raise AudioError(f"{path}: holds no samples")
        return AudioHeader(frames, file.samplerate, file.format != "MP3")


@contextmanager
def open_audio(path: Path) -> Iterator[soundfile.SoundFile]:
    """Opens a file that soundfile can read.

    Raises:
        AudioError: The file cannot be opened, is empty, no audio, or truncated as far as its header shows.
    """
    try:
        size = path.stat().st_size
        if not size:
            raise AudioError(f"{path}: is empty")
        file = _ForwardFile(path)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror}") from error
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: headerless formats, chosen by the file's name
        raise AudioError(f"{path}: is no audio, or damaged", hint="WAV, FLAC, OGG and MP3 can be read") from error
    with file:
        if _is_cut(file, path):
            raise _truncated(path)
        yield file


def read_blocks(file: soundfile.SoundFile, path: Path, frames: int | None) -> Iterator[np.ndarray]:
    """Mono blocks (T,) float32 of about 10 s from the file's position on.

    Args:
        file: The open file.
        path: Its name, for errors.
        frames: Exactly so many; None for all there are.

    Raises:
        AudioError: Decoding fails or the file ends before ``frames``.
    """
    left = frames
    while left is None or left > 0:
        size = _BLOCK_SECONDS * file.samplerate
        try:
            block = file.read(size if left is None else min(size, left), dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise AudioError(f"{path}: is damaged or truncated: {error}", hint="copy the file again") from error
        if not len(block):
            break
        left = None if left is None else left - len(block)
        yield block.mean(axis=1, dtype=np.float32)
    if left:
        raise _truncated(path)


def _truncated(path: Path) -> AudioError:
    return AudioError(f"{path}: is truncated, it ends before the length in its header", hint="copy the file again")


def _is_cut(file: soundfile.SoundFile, path: Path) -> bool:
    if file.format == "OGG":
        return not _ends_ogg(path)
    match = _DECLARED.search(file.extra_info)
    if match is None:
        return False
    declared, present = int(match[1]), int(match[2])
    return present + _SLACK < declared < _UNKNOWN_LENGTH


def _ends_ogg(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 2 * 65_307, 0))  # two pages of the largest size
        tail = file.read()
    page = tail[max(tail.rfind(b"OggS"), 0) :]
    sizes = page[27 : 27 + page[26]] if len(page) > 26 else b""
    return bool(sizes) and bool(page[5] & _OGG_END) and len(page) >= 27 + page[26] + sum(sizes)


def _knows_length(file: soundfile.SoundFile, path: Path) -> bool:
    """False for an MP3 without a table of contents, whose length soundfile guesses, and for a stream."""
    if file.format != "MP3":
        return bool(0 <= file.frames < 1 << 62)
    with path.open("rb") as raw:
        head = raw.read(10)
        if head.startswith(b"ID3"):  # tag of a size in four times seven bits
            size = 0
            for byte in head[6:10]:
                size = size << 7 | byte & 0x7F
            raw.seek(10 + size)
        else:
            raw.seek(0)
        start = raw.read(4096)
    return b"Xing" in start or b"Info" in start or b"VBRI" in start
