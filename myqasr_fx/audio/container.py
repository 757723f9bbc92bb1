"""Decoding what phones and messengers record (MP4, WebM, WMA, AMR, AAC) with PyAV, an extra.

The container's format is known from its first bytes and named to FFmpeg, which opens nothing else than the file given:
left to guess, it takes text for playlists and follows the files and addresses in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, groupby
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soxr

from myqasr_fx.audio.decoder import check_rate, truncated
from myqasr_fx.audio.unusable import EXTRA
from myqasr_fx.errors import AudioError

_CODECS = (
    "aac aac_latm ac3 alac amrnb amrwb eac3 flac mp3 mp3float opus vorbis wmalossless wmapro wmav1 wmav2 wmavoice "
    "pcm_alaw pcm_mulaw pcm_s16be pcm_s16le pcm_s24be pcm_s24le pcm_s32be pcm_s32le pcm_f32be pcm_f32le pcm_u8"
).split()
"""Decoders that may run. Video and everything exotic stays untouched."""

_MAGIC = (
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"wide", "mov"),
    (4, b"mdat", "mov"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (0, b"#!AMR", "amr"),
    (0, b"caff", "caf"),
    (0, b"\xff\xf1", "aac"),
    (0, b"\xff\xf9", "aac"),
)
"""Place, bytes and FFmpeg's name of the format."""

_SHOWN = {"mov": "MP4", "matroska": "WebM or Matroska", "asf": "WMA", "amr": "AMR", "caf": "CAF", "aac": "AAC"}

_DECLARES_LENGTH = ("mov", "matroska", "asf")
"""Formats whose length is written down; that of others is FFmpeg's guess."""

_SLACK_SECONDS = 1.0
"""By which a whole file's sound may be shorter than declared: silence left out at its ends, rounding."""

_PEAKS = {"u8": 1 << 7, "s16": 1 << 15, "s32": 1 << 31, "flt": 1, "dbl": 1}


def container_of(path: Path) -> str | None:
    """FFmpeg's name of a file's format; None for a file that is no such container.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(16)
    return next((name for place, magic, name in _MAGIC if head.startswith(magic, place)), None)


class _Reader:
    """A file that answers a request for a place that cannot be as FFmpeg expects it, without an exception.

    PyAV prints the traceback of one on standard error.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.tell = file.read, file.tell
        self._seek = file.seek

    def seek(self, offset: int, whence: int = 0) -> int:
        """The new place; -1 where there is none."""
        try:
            return self._seek(offset, whence)
        except (OSError, OverflowError):
            return -1


class ContainerDecoder:
    """The first audio track of a container; see :class:`~myqasr_fx.audio.decoder.Decoder`.

    Args:
        container: What PyAV opened.
        path: Its name, for errors.
        form: FFmpeg's name of the format.
    """

    frames: int | None = None
    seekable = False

    def __init__(self, container: Any, path: Path, form: str) -> None:
        self._path, self._form = path, form
        self._container = container
        self._stream = _first_track(container, path)
        frames = self._decoded()
        first = next(frames, None)
        if first is None:
            raise AudioError(f"{path}: holds no samples")
        self.rate: int = first.sample_rate
        self.channels: int = first.layout.nb_channels
        self._pieces = self._at_one_rate(chain([first], frames))
        self._held = np.zeros((0, self.channels), np.float32)

    def seek(self, frame: int) -> None:
        """Not possible.

        Raises:
            AudioError: Always.
        """
        raise AudioError(f"{self._path}: cannot go to sample {frame} of a {_SHOWN[self._form]} file")

    def read(self, frames: int) -> np.ndarray:
        """The next samples (T, C); fewer where the number of channels changes."""
        parts, count = [self._held], len(self._held)
        self._held = self._held[:0]
        while count < frames and (piece := next(self._pieces, None)) is not None:
            if piece.shape[1] != parts[0].shape[1]:
                self._held = piece
                if count:
                    break
                parts, piece = [], self._held
                self._held = piece[:0]
            parts.append(piece)
            count += len(piece)
        block = np.concatenate(parts)
        if count > frames:
            block, self._held = block[:frames], block[frames:].copy()
        return block

    def _at_one_rate(self, frames: Iterator[Any]) -> Iterator[np.ndarray]:
        """Samples (T, C) of all frames at ``rate``; complains at the end when that comes too early."""
        count = 0
        for (rate, channels), run in groupby(frames, lambda frame: (frame.sample_rate, frame.layout.nb_channels)):
            check_rate(rate, self._path)
            pieces = map(_samples, run)
            for piece in pieces if rate == self.rate else _resampled(pieces, rate, self.rate, channels):
                count += len(piece)
                if len(piece):
                    yield piece
        if count / self.rate < self._declared_seconds() - _SLACK_SECONDS:
            raise truncated(self._path)

    def _decoded(self) -> Iterator[Any]:
        import av

        try:
            yield from self._container.decode(self._stream)
        except (av.error.FFmpegError, ValueError) as error:  # ValueError: a frame without a known layout or rate
            raise AudioError(f"{self._path}: is damaged or truncated", hint="copy the file again") from error

    def _declared_seconds(self) -> float:
        """0 where the file does not say how long its audio is."""
        if self._form not in _DECLARES_LENGTH:
            return 0.0
        if self._stream.duration:
            return float(self._stream.duration * self._stream.time_base)
        alone = len(self._container.streams) == 1  # the container's own length is that of its longest track
        return self._container.duration / 1e6 if alone and self._container.duration else 0.0


@contextmanager
def open_container(path: Path, form: str) -> Iterator[ContainerDecoder]:
    """Opens a file with PyAV.

    Args:
        path: The file.
        form: What :func:`container_of` found.

    Raises:
        AudioError: PyAV is not installed, or the file is damaged or has no audio track.
        OSError: It cannot be read.
    """
    try:
        import av
    except ImportError as error:
        article = "an" if _SHOWN[form][0] in "AM" else "a"
        raise AudioError(f"{path}: is {article} {_SHOWN[form]} file, which only PyAV reads", hint=EXTRA) from error
    options = {"codec_whitelist": ",".join(_CODECS), "format_whitelist": form, "protocol_whitelist": ""}
    with path.open("rb") as file:
        try:
            container = av.open(_Reader(file), format=form, container_options=options, metadata_errors="replace")
        except (av.error.FFmpegError, ValueError) as error:
            raise AudioError(f"{path}: is a damaged or truncated {_SHOWN[form]} file", hint="copy it again") from error
        with container:
            yield ContainerDecoder(container, path, form)


def _first_track(container: Any, path: Path) -> Any:
    tracks = container.streams.audio
    if not tracks:
        raise AudioError(f"{path}: has no audio track")
    codec = getattr(tracks[0].codec_context, "name", None)  # no context: FFmpeg has no decoder for it
    if codec not in _CODECS:
        raise AudioError(f"{path}: its first audio track is {codec or 'of an unknown or protected kind'}, not read")
    for stream in container.streams:
        if stream is not tracks[0]:
            stream.discard = type(stream.discard).all
    return tracks[0]


def _samples(frame: Any) -> np.ndarray:
    """Samples (T, C) float32 between -1 and 1."""
    array = frame.to_ndarray()
    channels = frame.layout.nb_channels
    shaped = array.T if frame.format.is_planar else array.reshape(-1, channels)
    kind = frame.format.name.removesuffix("p")
    if kind in ("flt", "dbl"):
        return np.asarray(shaped, np.float32)
    middle = _PEAKS[kind] if kind == "u8" else 0
    return np.asarray((shaped.astype(np.float64) - middle) / _PEAKS[kind], np.float32)


def _resampled(pieces: Iterator[np.ndarray], rate: int, wanted: int, channels: int) -> Iterator[np.ndarray]:
    stream = soxr.ResampleStream(rate, wanted, channels, dtype="float32")
    for piece in pieces:
        yield stream.resample_chunk(np.ascontiguousarray(piece)).reshape(-1, channels)
    yield stream.resample_chunk(np.zeros((0, channels), np.float32), last=True).reshape(-1, channels)
