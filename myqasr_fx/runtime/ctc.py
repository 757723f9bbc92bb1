"""CTC: samples, encoder, best token a frame, text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from myqasr_fx.audio.clip import SAMPLING_RATE, check_length
from myqasr_fx.models.languages import cannot_be_told, unless_auto
from myqasr_fx.runtime.no_speech import USUAL, NoSpeechRule
from myqasr_fx.runtime.runtime import GraphRunner, Transcript, check_batch, transcribe_long


@dataclass(frozen=True, slots=True, eq=False)
class CtcRuntime:
    """A CTC model that transcribes; see :class:`~myqasr_fx.runtime.runtime.Runtime`.

    Args:
        model: Graph ``model``.
        features: Samples (T,) to (1, T).
        tokenizer: Of the model.
        blank: Id of the blank token.
        model_bytes: Of the model files, or of the tensors in memory.
        no_speech: When a text is dropped; the model itself does not tell, so that its ``vad_threshold`` alone counts.
    """

    model: GraphRunner
    features: Callable[[np.ndarray], np.ndarray]
    tokenizer: Any
    blank: int
    model_bytes: int
    no_speech: NoSpeechRule = USUAL

    def transcribe(self, audio: str | Path | np.ndarray, language: str | None = None) -> Transcript:
        """Transcribes audio of any length."""
        return transcribe_long(self, audio, unless_auto(language))

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        """Transcribes clips one by one: padding would change what the model hears.

        Raises:
            AudioError: A clip is not (T,) float32, not finite, or shorter than what the model looks at together.
            ModelError: A language is asked for.
        """
        _check(clips)
        if (asked := unless_auto(language)) is not None:
            raise cannot_be_told(asked)
        results = []
        for samples in clips:
            frames = self.logits(samples, ()).argmax(axis=-1)
            nothing = self.no_speech.hears_none(samples)
            text = "" if nothing else self._text(frames)
            tokens, seconds = tuple(frames.tolist()), len(samples) / SAMPLING_RATE
            results.append(Transcript(text, tokens, seconds, no_speech=nothing))
        return results

    def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        """Logits (frames, vocabulary)."""
        _check([samples])
        batch = self.model.run({"input_values": self.features(samples)}, ["logits"])["logits"]
        logits: np.ndarray = batch[0]
        return logits

    def _text(self, frames: np.ndarray) -> str:
        """Text of the best tokens (frames,): repeats merged, blanks and special tokens dropped."""
        changed = np.diff(frames, prepend=-1) != 0
        ids = frames[changed & (frames != self.blank)].tolist()
        delimiter, between = self.tokenizer.word_delimiter_token, self.tokenizer.replace_word_delimiter_char
        dropped = set(self.tokenizer.all_special_tokens) - {delimiter}
        letters = [token for token in self.tokenizer.convert_ids_to_tokens(ids) if token not in dropped]
        text = " ".join("".join(letters).replace(delimiter, between).split())
        return text.lower() if self.tokenizer.do_lower_case else text


def _check(clips: Sequence[np.ndarray]) -> None:
    """As :func:`~myqasr_fx.runtime.runtime.check_batch`, and whether each is long enough."""
    check_batch(clips)
    for index, samples in enumerate(clips):
        check_length(len(samples) / SAMPLING_RATE, f"clip {index}")
