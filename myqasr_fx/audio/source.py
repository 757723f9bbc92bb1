"""Files and arrays behind one interface: a length, and samples from anywhere in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from myqasr_fx.audio.clip import SAMPLING_RATE, base_name, check_array, check_length, check_samples
from myqasr_fx.audio.decode import read_header
from myqasr_fx.audio.decoder import AudioHeader
from myqasr_fx.audio.find import find_audio
from myqasr_fx.audio.load import load_windows
from myqasr_fx.audio.mono import Tell
from myqasr_fx.audio.unusable import reason_of
from myqasr_fx.errors import AudioError

AudioInput = str | Path | np.ndarray
"""A file, a folder, or samples (T,) float32 at 16 kHz."""


class Source(Protocol):
    """A recording that is not in memory as a whole, or need not be."""

    @property
    def path(self) -> Path | None:
        """The file; None for an array."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def seconds(self) -> float:
        """Length in seconds."""

    def windows(self, starts: Sequence[float], seconds: float, tell: Tell) -> Iterator[np.ndarray]:
        """Samples (T,) float32 at 16 kHz of ``seconds`` from each ascending start on; the end may cut the last.

        Args:
            starts: Seconds.
            seconds: Length of each.
            tell: Told when the channels cancel each other out.

        Raises:
            AudioError: They cannot be decoded or hold NaN.
        """


@dataclass(frozen=True, slots=True)
class RejectedAudio:
    """A recording that cannot be used.

    Args:
        path: The file; None for an array.
        reason: Why; begins with the file's name, without its folder, or the array's place.
    """

    path: Path | None
    reason: str

    @classmethod
    def of(cls, path: Path | None, error: AudioError) -> RejectedAudio:
        """A recording with what is wrong with it.

        The error names the whole path; the reason, which ``myqasr.json`` keeps, tells nobody how folders are called.
        """
        if path is None:
            return cls(None, reason_of(error))
        return cls(path, base_name(path) + reason_of(error).removeprefix(str(path)))


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file whose header has been read."""

    path: Path
    header: AudioHeader

    @classmethod
    def open(cls, path: Path) -> FileSource:
        """Reads the header.

        Raises:
            AudioError: The file is no audio, truncated as far as its header shows, or shorter than 25 ms.
        """
        header = read_header(path)
        check_length(header.seconds, str(path))
        return cls(path, header)

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.header.seconds

    def windows(self, starts: Sequence[float], seconds: float, tell: Tell) -> Iterator[np.ndarray]:
        """See :class:`Source`."""
        return load_windows(self.path, self.header, starts, seconds, tell)


@dataclass(frozen=True, slots=True, eq=False)
class ArraySource:
    """Samples (T,) float32 at 16 kHz.

    Raises:
        AudioError: They are of another type or shape, too few, not finite, or all zero.
    """

    name: str
    samples: np.ndarray

    def __post_init__(self) -> None:
        check_samples(self.samples, self.name)

    @property
    def path(self) -> Path | None:
        """None."""
        return None

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLING_RATE

    def windows(self, starts: Sequence[float], seconds: float, tell: Tell) -> Iterator[np.ndarray]:
        """See :class:`Source`."""
        for start in starts:
            first = round(start * SAMPLING_RATE)
            yield self.samples[first : first + round(seconds * SAMPLING_RATE)]


def found_inputs(audio: AudioInput | Iterable[AudioInput]) -> list[AudioInput]:
    """``audio`` as a list, none of which is opened.

    Raises:
        AudioError: A path does not exist, or a folder holds no audio.
    """
    items = _listed(audio)
    paths = [item for item in items if not isinstance(item, np.ndarray)]
    if paths or not items:
        find_audio(paths)
    return items


def open_sources(audio: AudioInput | Iterable[AudioInput]) -> tuple[list[Source], list[RejectedAudio]]:
    """Every recording in ``audio``, and those that cannot be used.

    Raises:
        AudioError: A path does not exist, or a folder holds no audio.
    """
    items = _listed(audio)
    paths = [item for item in items if not isinstance(item, np.ndarray)]
    arrays = {f"array {index}": item for index, item in enumerate(items) if isinstance(item, np.ndarray)}
    sources: list[Source] = []
    rejected: list[RejectedAudio] = []
    for path in find_audio(paths) if paths or not arrays else ():
        try:
            sources.append(FileSource.open(path))
        except AudioError as error:
            rejected.append(RejectedAudio.of(path, error))
    for name, samples in arrays.items():
        try:
            sources.append(ArraySource(name, samples))
        except AudioError as error:
            rejected.append(RejectedAudio.of(None, error))
    return sources, rejected


def _listed(audio: AudioInput | Iterable[AudioInput]) -> list[AudioInput]:
    several = isinstance(audio, Iterable) and not isinstance(audio, (str, Path, np.ndarray))
    items: list[AudioInput] = list(audio) if several else [audio]  # type: ignore[arg-type,list-item]
    for item in items:
        if not isinstance(item, (str, Path, np.ndarray)):
            what = f"{type(item).__module__}.{type(item).__qualname__}".removeprefix("builtins.")
            raise AudioError(f"audio is {what}, expected files, folders or arrays (T,) float32 at 16 kHz")
    if isinstance(audio, np.ndarray):
        check_array(audio, "audio")
    return items
