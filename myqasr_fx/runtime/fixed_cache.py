"""Whisper's decoder with a cache of fixed length, whose cross-attention keys and values the encoder gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from myqasr_fx.runtime.context import LONGEST
from myqasr_fx.runtime.runtime import GraphRunner

_SELF = ("n_layer_self_k_cache", "n_layer_self_v_cache")
_CROSS = ("n_layer_cross_k", "n_layer_cross_v")


@dataclass(frozen=True, slots=True)
class FixedCache:
    """Sizes of the decoder's keys and values: (``layers``, batch, ``positions``, ``width``)."""

    layers: int
    positions: int
    width: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> FixedCache:
        """Sizes in the content of a ``config.json``."""
        return cls(config["decoder_layers"], config["max_target_positions"], config["d_model"])

    @property
    def cross_bytes(self) -> int:
        """Of the keys and values of the cross-attention that a clip in 30 s takes."""
        return 8 * self.layers * LONGEST * self.width

    def encode(self, encoder: GraphRunner, features: np.ndarray) -> np.ndarray:
        """Cross-attention keys and values (B, 2, layers, frames, width) of features (B, mel bins, frames)."""
        results = encoder.run({"mel": features}, _CROSS)
        return np.stack([results[name] for name in _CROSS]).transpose(2, 0, 1, 3, 4)

    def decoder(self, decoder: GraphRunner, states: np.ndarray) -> FixedDecoder:
        """A decoder that has seen no token, for what :meth:`encode` gave for a batch."""
        return FixedDecoder(decoder, states, self)


class FixedDecoder:
    """The decoder of a batch with its keys and values so far.

    Args:
        decoder: Graph ``decoder``.
        states: (B, 2, layers, frames, width) cross-attention keys and values.
        shape: Sizes of the cache.
    """

    def __init__(self, decoder: GraphRunner, states: np.ndarray, shape: FixedCache) -> None:
        self._decoder = decoder
        self._cross = dict(zip(_CROSS, np.ascontiguousarray(states.transpose(1, 2, 0, 3, 4)), strict=True))
        self._empty = np.zeros((shape.layers, len(states), shape.positions, shape.width), np.float32)
        self._own = dict.fromkeys(_SELF, self._empty)
        self._offset = 0

    def step(self, tokens: np.ndarray) -> np.ndarray:
        """Appends ``tokens`` (B, T) int64 and gives their logits (B, T, vocabulary)."""
        feeds = {f"in_{name}": value for name, value in self._own.items()}
        feeds |= {"tokens": tokens, "offset": np.array([self._offset], np.int64), **self._cross}
        results = self._decoder.run(feeds, ["logits", *(f"out_{name}" for name in _SELF)])
        self._own = {name: results[f"out_{name}"] for name in _SELF}
        self._offset += tokens.shape[1]
        return results["logits"]

    def rewind(self) -> None:
        """Forgets the tokens; what the encoder gave stays."""
        self._own = dict.fromkeys(_SELF, self._empty)
        self._offset = 0

    def keep(self, rows: np.ndarray) -> None:
        """Goes on with some rows (N,) of the batch only."""
        self._cross = {name: value[:, rows] for name, value in self._cross.items()}
        self._own = {name: value[:, rows] for name, value in self._own.items()}

    def reorder(self, rows: np.ndarray) -> None:
        """Gives every row the tokens of one of ``rows`` (B,), which hears the same clip."""
        self._own = {name: value[:, rows] for name, value in self._own.items()}
