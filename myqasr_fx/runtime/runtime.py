"""What runs graphs, and what turns samples into text with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, islice
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from myqasr_fx.audio.clip import SAMPLING_RATE, check_array, check_finite
from myqasr_fx.errors import AudioError
from myqasr_fx.runtime.chunks import iter_chunks


class GraphRunner(Protocol):
    """One graph, ready to run."""

    @property
    def inputs(self) -> frozenset[str]:
        """Names of the values that the graph asks for."""

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        """The named outputs for inputs by name."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word with the marks around it.

    Args:
        start: Seconds from the recording's begin.
        end: Likewise, of the word without a mark behind it.
        text: As it is written, without spaces.
    """

    start: float
    end: float
    text: str

    def later(self, seconds: float) -> Word:
        """The same in a recording that begins earlier."""
        return replace(self, start=self.start + seconds, end=self.end + seconds)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a recording in which something was said.

    Args:
        start: Seconds from the recording's begin.
        end: Likewise.
        text: What was said.
        words: Of the text; none where their times were not asked for.
    """

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()

    def later(self, seconds: float) -> Segment:
        """The same in a recording that begins earlier."""
        words = tuple(word.later(seconds) for word in self.words)
        return Segment(self.start + seconds, self.end + seconds, self.text, words)


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said.

    Args:
        text: Without special tokens.
        tokens: Ids behind the text: those after the prompt and before the end, or the best one of every frame.
        seconds: Length of the audio.
        language: Code that the decoder was told or found out; None for models that know one language.
        no_speech: True where nothing was said: the text is empty, whatever the tokens.
        no_speech_probability: 0 to 1, of the part where it is lowest; None for models that do not tell. Like the two
            below, it is no part of what makes transcripts equal: runs of different batches round it differently.
        log_probability: Mean of the tokens, nats; None for models that do not tell.
        compression_ratio: Bytes of the text to those of its zlib form; high for a text that repeats itself.
        note: What was done to the audio that its user may not expect.
        heard_again: Parts that were heard in 30 s after all, since the text of a shorter context was doubtful.
        segments: The parts with a text that a recording was cut into, or that the model told the times of; none where
            neither was asked for.
    """

    text: str
    tokens: tuple[int, ...]
    seconds: float
    language: str | None = None
    no_speech: bool = False
    no_speech_probability: float | None = field(default=None, compare=False)
    log_probability: float | None = field(default=None, compare=False)
    compression_ratio: float | None = field(default=None, compare=False)
    note: str | None = None
    heard_again: int = field(default=0, compare=False)
    segments: tuple[Segment, ...] = field(default=(), compare=False)


class Runtime(Protocol):
    """A model that transcribes."""

    @property
    def model_bytes(self) -> int:
        """Bytes of the model files, or of the tensors in memory."""

    def transcribe(self, audio: str | Path | np.ndarray, language: str | None = None) -> Transcript:
        """Transcribes a file or samples (T,) float32 at 16 kHz of any length, 30 s at a time.

        Args:
            audio: What to transcribe.
            language: Code such as ``de`` or English name for a multilingual model; None or ``auto`` detects it on the
                first 30 s.
        """

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        """Transcribes samples (T,) float32 at 16 kHz, of at most 30 s each where the model is a Whisper."""

    def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        """Logits (L, vocabulary) of the positions that predict each of ``tokens`` and the end after them.

        Models without a decoder ignore ``tokens`` and give the logits of every frame; samples are those of a clip of
        :meth:`transcribe_batch`.
        """


def check_batch(clips: Sequence[np.ndarray], most: float | None = None) -> None:
    """Checks clips that a model is given together.

    Args:
        clips: Samples of each.
        most: Seconds of a clip; None for any.

    Raises:
        AudioError: One is not (T,) float32, not finite, or longer.
    """
    for index, samples in enumerate(clips):
        check_array(samples, name := f"clip {index}")
        check_finite(samples, name)
        if most is not None and (seconds := len(samples) / SAMPLING_RATE) > most:
            raise AudioError(
                f"{name}: {seconds:.1f} s of audio, expected at most {most:g} s",
                hint="transcribe() takes audio of any length",
            )


def transcribe_long(
    runtime: Runtime,
    audio: str | Path | np.ndarray,
    language: str | None,
    *,
    together: int = 1,
    finds_language: bool = False,
) -> Transcript:
    """Transcribes audio of any length chunk by chunk; silent chunks have no text.

    Args:
        runtime: What transcribes the chunks.
        audio: File or samples (T,) float32 at 16 kHz.
        language: Code that the runtime is told; None for none.
        together: Chunks in a batch, at most.
        finds_language: A chunk that is told no language finds one out, which the chunks behind it are then told.
    """
    parts: list[Transcript] = []
    notes: set[str] = set()
    chunks = iter_chunks(audio, notes.add)
    while group := list(islice(chunks, 1 if finds_language and language is None else together)):
        spoken = [chunk for chunk in group if chunk.any()]
        said = iter(runtime.transcribe_batch(spoken, language) if spoken else ())
        for chunk in group:
            if not chunk.any():
                parts.append(Transcript("", (), len(chunk) / SAMPLING_RATE, no_speech=True))
                continue
            part = next(said)
            if not part.no_speech:  # a language found in noise is none
                language = language or part.language
            parts.append(part)
    return join(parts, language or parts[0].language, "; ".join(sorted(notes)) or None)


def join(parts: Sequence[Transcript], language: str | None, note: str | None) -> Transcript:
    """One transcript of the parts of a recording.

    Args:
        parts: At least one, in the order of time.
        language: Of the recording.
        note: About its audio.
    """
    text = " ".join(part.text for part in parts if part.text)
    probabilities = [part.no_speech_probability for part in parts if part.no_speech_probability is not None]
    written = [(part.log_probability, len(part.tokens) + 1) for part in parts if part.log_probability is not None]
    return Transcript(
        text,
        tuple(token for part in parts for token in part.tokens),
        sum(part.seconds for part in parts),
        language,
        no_speech=all(part.no_speech for part in parts),
        no_speech_probability=min(probabilities, default=None),
        log_probability=sum(a * b for a, b in written) / sum(b for _, b in written) if written else None,
        compression_ratio=max((part.compression_ratio for part in parts if part.compression_ratio), default=None),
        note=note,
        heard_again=sum(part.heard_again for part in parts),
        segments=_segments(parts),
    )


C = TypeVar("C", Segment, Word)


def ends_at(said: Transcript, seconds: float) -> Transcript:
    """A transcript of a clip whose rest, from there on, is heard anew: no time of it lies in that."""
    segments = [replace(one, words=tuple(_until(word, seconds) for word in one.words)) for one in said.segments]
    return replace(said, seconds=seconds, segments=tuple(_until(one, seconds) for one in segments))


def _until(cue: C, seconds: float) -> C:
    return replace(cue, start=min(cue.start, seconds), end=min(cue.end, seconds))


def _segments(parts: Sequence[Transcript]) -> tuple[Segment, ...]:
    """Those of the parts; of a part without any, itself."""
    begins = accumulate((part.seconds for part in parts), initial=0.0)
    return tuple(
        segment.later(begin)
        for begin, part in zip(begins, parts, strict=False)
        if part.text
        for segment in part.segments or (Segment(0.0, part.seconds, part.text),)
    )
