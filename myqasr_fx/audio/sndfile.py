"""Decoding WAV, FLAC, OGG, MP3 and their like with soundfile, and telling a truncated file from a whole one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import soundfile

from myqasr_fx.audio.decoder import truncated
from myqasr_fx.audio.joined import check_single, mp3_start
from myqasr_fx.errors import AudioError
from myqasr_fx.process.native_errors import no_native_errors

_UNKNOWN_LENGTH = 0x7FFFF000
"""Bytes of sound from which on a header means 'until the end of the file', as programs write it into a pipe."""

_DECLARED = re.compile(r"^\s*(?:data|SSND|Data Size|riff)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
"""libsndfile's remark on a header that declares other bytes of sound than the file holds."""

_UNFINISHED = re.compile(r"^data : 0\n(?:\*\*\* Unknown chunk|Have 0 marker)", re.MULTILINE)
"""Its remarks on a WAV header without a number of samples, in front of some: who records writes it at the end."""

_SLACK = 16
"""Bytes by which headers of whole files may be wrong: padding, and fields counted in or left out."""

_OGG_END = 0x04
"""Flag of the last page of an Ogg stream. Source: RFC 3533, section 6."""


class _ForwardFile(soundfile.SoundFile):
    """A file that does not seek to where it is after each read, on which the MP3 decoder would complain."""

    def seekable(self) -> bool:
        """False; ``seek`` works all the same."""
        return False


class SoundfileDecoder:
    """A file that soundfile reads; see :class:`~myqasr_fx.audio.decoder.Decoder`.

    Args:
        file: The open file.
        path: Its name, for errors.
    """

    def __init__(self, file: soundfile.SoundFile, path: Path) -> None:
        self._file, self._path = file, path
        self.frames: int | None = file.frames if _knows_length(file, path) else None
        self.rate: int = file.samplerate
        self.channels: int = file.channels
        self.seekable: bool = file.format != "MP3"

    def seek(self, frame: int) -> None:
        """Goes on at a sample."""
        try:
            self._file.seek(frame)
        except soundfile.SoundFileError as error:
            raise self._damaged(error) from error

    def read(self, frames: int) -> np.ndarray:
        """The next samples (T, C)."""
        try:
            with nullcontext() if self.seekable else no_native_errors():
                block: np.ndarray = self._file.read(frames, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise self._damaged(error) from error
        return block

    def _damaged(self, error: soundfile.SoundFileError) -> AudioError:
        return AudioError(f"{self._path}: is damaged or truncated: {error}", hint="copy the file again")


@contextmanager
def open_soundfile(path: Path) -> Iterator[SoundfileDecoder | None]:
    """Opens a file; None when it is none of soundfile's.

    Raises:
        AudioError: The file is truncated as far as its header shows, was never finished, or holds several recordings.
        OSError: It cannot be read.
    """
    try:
        with no_native_errors():  # what is not a known format is tried as MP3
            file = _ForwardFile(os.fsencode(path))  # soundfile cannot encode names that are no UTF-8
    except (soundfile.SoundFileError, TypeError):  # TypeError: headerless formats, chosen by the file's name
        yield None
        return
    with file:
        if _is_cut(file, path):
            raise truncated(path)
        if _UNFINISHED.search(file.extra_info):
            raise AudioError(
                f"{path}: its header says that it holds no samples, but bytes follow: its recorder never finished it",
                hint=f"write the header anew, such as with ffmpeg -i {path.name} finished.wav",
            )
        check_single(file.format, path)
        yield SoundfileDecoder(file, path)


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
        raw.seek(mp3_start(raw))
        start = raw.read(4096)
    return b"Xing" in start or b"Info" in start or b"VBRI" in start
