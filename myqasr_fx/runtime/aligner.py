"""Times of the words of a clip, which the decoder reads a second time as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.runtime.alignment import token_frames, usual_heads
from myqasr_fx.runtime.context import FRAME
from myqasr_fx.runtime.decoding import TRANSCRIBE
from myqasr_fx.runtime.growing_cache import CacheShape
from myqasr_fx.runtime.runtime import GraphRunner, Word
from myqasr_fx.runtime.timed_text import TimedTokens
from myqasr_fx.runtime.words import words_of

_BEYOND_SECONDS = 0.5
"""How far a word may reach beyond its part of the text: more is a pause."""


@dataclass(frozen=True, slots=True, eq=False)
class Aligner:
    """What tells when words were spoken.

    Args:
        decoder: Its graph gives the weights of its cross-attention.
        shape: Of its cache.
        settings: Prompt and alignment heads.
        decode: Tokens to text.
        task: That the text was written for.
    """

    decoder: GraphRunner
    shape: CacheShape
    settings: GenerationSettings
    decode: Callable[[Sequence[int]], str]
    task: str = TRANSCRIBE

    def words(
        self, parts: Sequence[TimedTokens], states: np.ndarray, seconds: float, language: str | None
    ) -> list[tuple[Word, ...]]:
        """The words of every part.

        Args:
            parts: Of the text of a clip.
            states: (1, frames, d_model) of the encoder.
            seconds: Length of the clip.
            language: Code that the decoder was told; None for English-only models.
        """
        frames = self._frames([token for part in parts for token in part.tokens], states, seconds, language)
        written = "en" if self.task != TRANSCRIBE else language
        found, place = [], 0
        for part in parts:
            end = place + len(part.tokens)
            words = words_of(part.tokens, frames[place : end + 1].tolist(), self.decode, written)
            found.append(tuple(_inside(word, part) for word in words))
            place = end
        return found

    def _frames(self, tokens: Sequence[int], states: np.ndarray, seconds: float, language: str | None) -> np.ndarray:
        """The frames (N + 1,) in which N tokens begin and the last ends."""
        prompt = self.settings.prompt(language, self.task)
        read = tokens[: self.settings.max_length - len(prompt) - 1]
        told = np.array([[*prompt, *read, self.settings.eos_token_id]], np.int64)
        heads = self.settings.alignment_heads or usual_heads(self.shape.layers, self.shape.heads)
        decoder = self.shape.decoder(self.decoder, states)
        count = max(1, min(states.shape[1], -(-round(seconds * SAMPLING_RATE) // FRAME)))
        layers = decoder.attention(told, sorted({layer for layer, _ in heads}))
        weights = {layer: given[0, :, :, :count] for layer, given in layers.items()}
        frames = token_frames(weights, heads, len(prompt) - 1)
        return np.pad(frames, (0, len(tokens) - len(read)), mode="edge")


def around(parts: Sequence[TimedTokens], words: Sequence[Sequence[Word]]) -> list[TimedTokens]:
    """The parts with times that hold their words: where one lies wholly beyond its part, the model's time is wrong."""
    found: list[TimedTokens] = []
    for part, own in zip(parts, words, strict=True):
        if own and own[0].start < part.start - _BEYOND_SECONDS:
            part = replace(part, start=own[0].start)
        if own and own[-1].end > part.end + _BEYOND_SECONDS:
            part = replace(part, end=own[-1].end)
        if found and own and part.start < found[-1].end:
            if own[0].start < found[-1].end:
                found[-1] = replace(found[-1], end=max(found[-1].start, part.start))
            part = replace(part, start=found[-1].end, end=max(part.end, found[-1].end))
        found.append(part)
    return found


def _inside(word: Word, part: TimedTokens) -> Word:
    """A word that does not reach far into a pause before or behind its part."""
    if word.start < part.start - _BEYOND_SECONDS and part.start < word.end:
        word = replace(word, start=part.start)
    if word.end > part.end + _BEYOND_SECONDS and part.end > word.start:
        word = replace(word, end=part.end)
    return word
