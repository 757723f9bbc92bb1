"""Greedy decoding of a batch in numpy."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from myqasr_fx.models.generation import GenerationSettings


class DecoderState(Protocol):
    """A decoder in the middle of a batch of texts."""

    def step(self, tokens: np.ndarray) -> np.ndarray:
        """Appends ``tokens`` (B, T) int64 and gives their logits (B, T, vocabulary)."""

    def keep(self, rows: np.ndarray) -> None:
        """Goes on with some rows (N,) of the batch only."""


def greedy_decode(state: DecoderState, prompt: np.ndarray, settings: GenerationSettings) -> list[tuple[int, ...]]:
    """Takes the best token at every step until the end token or the longest allowed text.

    Args:
        state: A decoder that has seen no token.
        prompt: (B, P) int64 tokens to start from.
        settings: End token, suppressed tokens and longest text, prompt included.

    Returns:
        For each row the tokens after the prompt, without the end token.
    """
    batch, length = prompt.shape
    texts: list[list[int]] = [[] for _ in range(batch)]
    rows = np.arange(batch)
    suppressed = list(settings.suppress_tokens)
    first = suppressed + list(settings.begin_suppress_tokens)
    tokens = prompt
    for position in range(length, settings.max_length):
        scores = state.step(tokens)[:, -1].copy()  # (B, vocabulary)
        scores[:, first if position == length else suppressed] = -np.inf
        best = scores.argmax(axis=-1)
        alive = best != settings.eos_token_id
        if not alive.all():
            rows, best = rows[alive], best[alive]
            if not len(rows):
                break
            state.keep(np.flatnonzero(alive))
        for row, token in zip(rows, best, strict=True):
            texts[row].append(int(token))
        tokens = best[:, None].astype(np.int64)
    return [tuple(text) for text in texts]
