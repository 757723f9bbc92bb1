"""Whisper: log-mel features, encoder, greedy decoder with its cache, text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.runtime.fixed_cache import FixedCache
from myqasr_fx.runtime.greedy import Written, greedy_decode
from myqasr_fx.runtime.no_speech import USUAL, NoSpeechRule, compression_ratio
from myqasr_fx.runtime.runtime import GraphRunner, Transcript, transcribe_long


@dataclass(frozen=True, slots=True)
class CacheShape:
    """Sizes of the decoder's keys and values: (batch, ``heads``, length, ``width``) for each of ``layers``."""

    layers: int
    heads: int
    width: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> CacheShape:
        """Sizes in the content of a ``config.json``."""
        heads = config["decoder_attention_heads"]
        return cls(config["decoder_layers"], heads, config["d_model"] // heads)

    def encode(self, encoder: GraphRunner, features: np.ndarray) -> np.ndarray:
        """States (B, frames, d_model) of features (B, mel bins, 2 * frames)."""
        return encoder.run({"input_features": features}, ["last_hidden_state"])["last_hidden_state"]

    def decoder(self, decoder: GraphRunner, states: np.ndarray) -> CachedDecoder:
        """A decoder that has seen no token, for what :meth:`encode` gave for a batch."""
        return CachedDecoder(decoder, states, self)


@dataclass(frozen=True, slots=True, eq=False)
class WhisperRuntime:
    """A Whisper model that transcribes; see :class:`~myqasr_fx.runtime.runtime.Runtime`.

    Args:
        encoder: Graph ``encoder_model``, or ``encoder`` where the cache is fixed.
        decoder: Graph ``decoder_model_merged``, or ``decoder``.
        features: Samples (T,) of at most 30 s to (1, mel bins, frames).
        tokenizer: Of the model.
        settings: Prompt and suppressed tokens.
        cache: How the decoder keeps its keys and values.
        model_bytes: Of the model files, or of the tensors in memory.
        no_speech: When a text is dropped.
    """

    encoder: GraphRunner
    decoder: GraphRunner
    features: Callable[[np.ndarray], np.ndarray]
    tokenizer: Any
    settings: GenerationSettings
    cache: CacheShape | FixedCache
    model_bytes: int
    no_speech: NoSpeechRule = USUAL

    def transcribe(self, audio: str | Path | np.ndarray, language: str | None = None) -> Transcript:
        """Transcribes audio of any length."""
        return transcribe_long(self, audio, self._code(language))

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        """Transcribes clips of at most 30 s; each has its own language when none is given."""
        # One by one: the encoder gains nothing from a batch, whose attention weights would fill the memory.
        code = self._code(language)
        states = np.concatenate([self._encode(samples) for samples in clips])
        languages = [code] * len(clips) if code else self._detect(states)
        prompt = np.array([self.settings.prompt(code) for code in languages], np.int64)
        rows = greedy_decode(self.cache.decoder(self.decoder, states), prompt, self.settings)
        return [
            self._transcript(written, samples, spoken)
            for written, samples, spoken in zip(rows, clips, languages, strict=True)
        ]

    def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        """Logits of the positions that predict each of ``tokens`` and the end, in one prefill."""
        states = self._encode(samples)
        prompt = self.settings.prompt(language or self._detect(states)[0])
        decoder = self.cache.decoder(self.decoder, states)
        return decoder.step(np.array([[*prompt, *tokens]], np.int64))[0, len(prompt) - 1 :]

    def _code(self, language: str | None) -> str | None:
        return self.settings.language_code(language) if language else None

    def _encode(self, samples: np.ndarray) -> np.ndarray:
        return self.cache.encode(self.encoder, self.features(samples))

    def _detect(self, states: np.ndarray) -> list[str] | list[None]:
        """Most likely language of each row; English-only models are told none."""
        if not self.settings.is_multilingual:
            return [None] * len(states)
        start = np.full((len(states), 1), self.settings.decoder_start_token_id, np.int64)
        scores = self.cache.decoder(self.decoder, states).step(start)[:, -1]
        best = scores[:, list(self.settings.lang_to_id.values())].argmax(axis=-1)
        return [self.settings.languages[index] for index in best]

    def _transcript(self, written: Written, samples: np.ndarray, language: str | None) -> Transcript:
        """What was said; tokens stay where it is nothing, so that models can still be compared on them."""
        text = self._text(written.tokens)
        ratio = compression_ratio(text)
        nothing = self.no_speech.holds(written, ratio) or self.no_speech.hears_none(samples)
        return Transcript(
            "" if nothing else text,
            written.tokens,
            len(samples) / SAMPLING_RATE,
            language,
            no_speech=nothing,
            no_speech_probability=written.no_speech,
            log_probability=written.log_probability,
            compression_ratio=ratio,
        )

    def _text(self, tokens: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        return text.strip()


class CachedDecoder:
    """The decoder of a batch with its keys and values so far.

    Args:
        decoder: Graph ``decoder_model_merged``.
        states: (B, frames, width) encoder output.
        shape: Sizes of the cache.
    """

    def __init__(self, decoder: GraphRunner, states: np.ndarray, shape: CacheShape) -> None:
        self._decoder = decoder
        self._states = states
        self._layers = shape.layers
        empty = np.zeros((len(states), shape.heads, 0, shape.width), np.float32)
        self._cache = dict.fromkeys(self._names("decoder") + self._names("encoder"), empty)

    def step(self, tokens: np.ndarray) -> np.ndarray:
        """Appends ``tokens`` (B, T) int64 and gives their logits (B, T, vocabulary)."""
        names = self._names("decoder")
        if self._cache[self._names("encoder")[0]].shape[2] == 0:
            names += self._names("encoder")  # they stay the same afterwards
        feeds = {f"past_key_values.{name}": value for name, value in self._cache.items()}
        feeds |= {"input_ids": tokens, "encoder_hidden_states": self._states}
        results = self._decoder.run(feeds, ["logits", *(f"present.{name}" for name in names)])
        self._cache |= {name: results[f"present.{name}"] for name in names}
        return results["logits"]

    def keep(self, rows: np.ndarray) -> None:
        """Goes on with some rows (N,) of the batch only."""
        self._states = self._states[rows]
        self._cache = {name: value[rows] for name, value in self._cache.items()}

    def _names(self, owner: str) -> list[str]:
        return [f"{layer}.{owner}.{part}" for layer in range(self._layers) for part in ("key", "value")]
