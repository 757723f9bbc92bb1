"""Whisper: log-mel features, encoder, greedy decoder with its cache, text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.runtime.context import FULL, LONGEST, Context, same_lengths
from myqasr_fx.runtime.fixed_cache import FixedCache, FixedDecoder
from myqasr_fx.runtime.greedy import Written, greedy_decode
from myqasr_fx.runtime.no_speech import USUAL, NoSpeechRule, compression_ratio
from myqasr_fx.runtime.runtime import GraphRunner, Transcript, transcribe_long

MOST_TOGETHER = 4
"""Parts of a long recording that are decoded together: more of them take memory and hardly less time."""

TOGETHER_BYTES = 256_000_000
"""Of the keys and values of their cross-attention, at most."""


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

    @property
    def cross_bytes(self) -> int:
        """Of the keys and values of the cross-attention that a clip in 30 s takes."""
        return 8 * self.layers * LONGEST * self.heads * self.width

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
        context: How much silence the encoder hears behind a clip.
        any_length: The encoder takes less than 30 s, as those of earlier versions did not.
    """

    encoder: GraphRunner
    decoder: GraphRunner
    features: Callable[[np.ndarray], np.ndarray]
    tokenizer: Any
    settings: GenerationSettings
    cache: CacheShape | FixedCache
    model_bytes: int
    no_speech: NoSpeechRule = USUAL
    context: Context = FULL
    any_length: bool = True

    def transcribe(self, audio: str | Path | np.ndarray, language: str | None = None) -> Transcript:
        """Transcribes audio of any length."""
        together = max(1, min(MOST_TOGETHER, TOGETHER_BYTES // self.cache.cross_bytes))
        finds = self.settings.is_multilingual
        return transcribe_long(self, audio, self._code(language), together=together, finds_language=finds)

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        """Transcribes clips of at most 30 s; each has its own language when none is given."""
        code = self._code(language)
        inputs = [self.features(samples) for samples in clips]
        heard = [self.context.cut(*pair) for pair in zip(inputs, map(len, clips), strict=True)]
        found = dict(self._hear(heard, clips, code))
        shortened = [row for row in found if heard[row].shape != inputs[row].shape]
        again = [row for row in shortened if self.context.fallback and self._doubtful(found[row])]
        for row, said in self._hear([inputs[row] for row in again], [clips[row] for row in again], code):
            found[again[row]] = replace(said, heard_again=1)
        return [found[row] for row in range(len(clips))]

    def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        """Logits of the positions that predict each of ``tokens`` and the end, in one prefill."""
        return self.logits_of(self.encoded(samples), tokens, language)

    def encoded(self, samples: np.ndarray) -> np.ndarray:
        """What the encoder gives for a clip (T,), for :meth:`logits_of`."""
        return self.cache.encode(self.encoder, self.context.cut(self.features(samples), len(samples)))

    def logits_of(self, states: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        """As :meth:`logits`, of a clip that is encoded already."""
        decoder = self.cache.decoder(self.decoder, states)
        prompt = self.settings.prompt(language or self._detect(decoder, 1)[0])
        return decoder.step(np.array([[*prompt, *tokens]], np.int64))[0, len(prompt) - 1 :]

    def _code(self, language: str | None) -> str | None:
        return self.settings.language_code(language) if language else None

    def _hear(
        self, inputs: Sequence[np.ndarray], clips: Sequence[np.ndarray], code: str | None
    ) -> Iterator[tuple[int, Transcript]]:
        """What is said in each clip, by its position; only inputs of one length are decoded together."""
        for rows in same_lengths(inputs):
            # One by one: the encoder gains nothing from a batch, whose attention weights would fill the memory.
            states = np.concatenate([self.cache.encode(self.encoder, inputs[row]) for row in rows])
            decoder = self.cache.decoder(self.decoder, states)
            languages = [code] * len(rows) if code else self._detect(decoder, len(rows))
            prompt = np.array([self.settings.prompt(code) for code in languages], np.int64)
            written = greedy_decode(decoder, prompt, self.settings)
            for row, text, spoken in zip(rows, written, languages, strict=True):
                yield row, self._transcript(text, clips[row], spoken)

    def _doubtful(self, said: Transcript) -> bool:
        """True for no text, one that repeats itself or never ends, and one that the model is not sure of."""
        longest = self.settings.max_length - len(self.settings.prompt(said.language))
        endless = len(said.tokens) >= longest
        return not said.text or endless or self.no_speech.doubts(said.log_probability, said.compression_ratio)

    def _detect(self, decoder: CachedDecoder | FixedDecoder, rows: int) -> list[str] | list[None]:
        """Most likely language of each row; English-only models are told none. The decoder has seen no token after."""
        if not self.settings.is_multilingual:
            return [None] * rows
        scores = decoder.step(np.full((rows, 1), self.settings.decoder_start_token_id, np.int64))[:, -1]
        decoder.rewind()
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
        self._empty = np.zeros((len(states), shape.heads, 0, shape.width), np.float32)
        self._cache = dict.fromkeys(self._names("decoder") + self._names("encoder"), self._empty)

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

    def rewind(self) -> None:
        """Forgets the tokens; what the encoder's frames became for the cross-attention stays."""
        self._cache |= dict.fromkeys(self._names("decoder"), self._empty)

    def keep(self, rows: np.ndarray) -> None:
        """Goes on with some rows (N,) of the batch only."""
        self._states = self._states[rows]
        self._cache = {name: value[rows] for name, value in self._cache.items()}

    def _names(self, owner: str) -> list[str]:
        return [f"{layer}.{owner}.{part}" for layer in range(self._layers) for part in ("key", "value")]
