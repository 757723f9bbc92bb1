"""What runs graphs, and what turns samples into text with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.runtime.chunks import iter_chunks


class GraphRunner(Protocol):
    """One graph, ready to run."""

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        """The named outputs for inputs by name."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said.

    Args:
        text: Without special tokens.
        tokens: Ids behind the text: those after the prompt and before the end, or the best one of every frame.
        seconds: Length of the audio.
        language: Code that the decoder was told or found out; None for models that know one language.
    """

    text: str
    tokens: tuple[int, ...]
    seconds: float
    language: str | None = None


class Runtime(Protocol):
    """A model that transcribes."""

    @property
    def model_bytes(self) -> int:
        """Bytes of the model files, or of the tensors in memory."""

    def transcribe(self, audio: str | Path | np.ndarray, language: str | None = None) -> Transcript:
        """Transcribes a file or samples (T,) float32 at 16 kHz of any length, 30 s at a time.

        Args:
            audio: What to transcribe.
            language: Code such as ``de`` for a multilingual model; None detects it on the first 30 s.
        """

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        """Transcribes samples (T,) float32 at 16 kHz of at most 30 s each."""

    def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        """Logits (L, vocabulary) of the positions that predict each of ``tokens`` and the end after them.

        Models without a decoder ignore ``tokens`` and give the logits of every frame.
        """


def transcribe_long(runtime: Runtime, audio: str | Path | np.ndarray, language: str | None) -> Transcript:
    """Transcribes audio of any length chunk by chunk; silent chunks have no text."""
    parts: list[Transcript] = []
    for chunk in iter_chunks(audio):
        if chunk.any():
            (part,) = runtime.transcribe_batch([chunk], language)
            language = language or part.language
            parts.append(part)
        else:
            parts.append(Transcript("", (), len(chunk) / SAMPLING_RATE))
    text = " ".join(part.text for part in parts if part.text)
    tokens = tuple(token for part in parts for token in part.tokens)
    return Transcript(text, tokens, sum(part.seconds for part in parts), language)
