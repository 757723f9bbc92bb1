"""Whisper's decoder with a cache that grows by a token a step, and keeps the cross-attention's keys and values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from myqasr_fx.runtime.context import LONGEST
from myqasr_fx.runtime.cross_attention import PREFIX
from myqasr_fx.runtime.runtime import GraphRunner


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
            names += self._names("encoder")  # later calls give no more of them
        results = self._decoder.run(self._feeds(tokens), ["logits", *(f"present.{name}" for name in names)])
        self._cache |= {name: results[f"present.{name}"] for name in names}
        return results["logits"]

    def attention(self, tokens: np.ndarray, layers: Iterable[int]) -> dict[int, np.ndarray]:
        """Layer to the weights (B, heads, T, frames) with which ``tokens`` (B, T) int64 listen; remembers nothing."""
        names = {layer: f"{PREFIX}{layer}" for layer in layers}
        results = self._decoder.run(self._feeds(tokens), list(names.values()))
        return {layer: results[name] for layer, name in names.items()}

    def _feeds(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        feeds = {f"past_key_values.{name}": value for name, value in self._cache.items()}
        return {**feeds, "input_ids": tokens, "encoder_hidden_states": self._states}

    def rewind(self) -> None:
        """Forgets the tokens; what the encoder's frames became for the cross-attention stays."""
        self._cache |= dict.fromkeys(self._names("decoder"), self._empty)

    def keep(self, rows: np.ndarray) -> None:
        """Goes on with some rows (N,) of the batch only."""
        self._states = self._states[rows]
        for name in self._cache:  # one after the other: together they take as much as a model
            self._cache[name] = self._cache[name][rows]

    def reorder(self, rows: np.ndarray) -> None:
        """Gives every row the tokens of one of ``rows`` (B,), which hears the same clip."""
        self._cache |= {name: self._cache[name][rows] for name in self._names("decoder")}

    def _names(self, owner: str) -> list[str]:
        return [f"{layer}.{owner}.{part}" for layer in range(self._layers) for part in ("key", "value")]
