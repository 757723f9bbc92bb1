"""Greedy decoding of a batch in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from myqasr_fx.models.generation import GenerationSettings


class DecoderState(Protocol):
    """A decoder in the middle of a batch of texts."""

    def step(self, tokens: np.ndarray) -> np.ndarray:
        """Appends ``tokens`` (B, T) int64 and gives their logits (B, T, vocabulary)."""

    def keep(self, rows: np.ndarray) -> None:
        """Goes on with some rows (N,) of the batch only."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a decoder wrote for a row.

    Args:
        tokens: Those after the prompt, without the end token.
        log_probability: Mean of the tokens and the end, nats; suppressed tokens share in nothing.
        no_speech: Probability of no speech, 0 to 1; None for a vocabulary without a token for it.
    """

    tokens: tuple[int, ...]
    log_probability: float
    no_speech: float | None


def greedy_decode(state: DecoderState, prompt: np.ndarray, settings: GenerationSettings) -> list[Written]:
    """Takes the best token at every step until the end token or the longest allowed text.

    Args:
        state: A decoder that has seen no token.
        prompt: (B, P) int64 tokens to start from.
        settings: End token, suppressed tokens and longest text, prompt included.

    Source: openai/whisper, decoding.py: mean log-probability, and the no-speech token where the transcript starts.
    """
    batch, length = prompt.shape
    sums = np.zeros(batch)
    no_speech: list[float] | list[None] = [None] * batch
    texts: list[list[int]] = [[] for _ in range(batch)]
    rows = np.arange(batch)
    suppressed = list(settings.suppress_tokens)
    first = suppressed + list(settings.begin_suppress_tokens)
    tokens = prompt
    for position in range(length, settings.max_length):
        logits = state.step(tokens)
        if position == length:
            no_speech = _no_speech(logits, prompt, settings)
        scores = logits[:, -1].copy()  # (B, vocabulary)
        scores[:, first if position == length else suppressed] = -np.inf
        best = scores.argmax(axis=-1)
        sums[rows] -= np.log(np.exp(scores - scores.max(axis=-1, keepdims=True)).sum(axis=-1, dtype=np.float64))
        alive = best != settings.eos_token_id
        if not alive.all():
            rows, best = rows[alive], best[alive]
            if not len(rows):
                break
            state.keep(np.flatnonzero(alive))
        for row, token in zip(rows, best, strict=True):
            texts[row].append(int(token))
        tokens = best[:, None].astype(np.int64)
    return [
        Written(tuple(text), float(total / (len(text) + 1)), probability)
        for text, total, probability in zip(texts, sums, no_speech, strict=True)
    ]


def _no_speech(logits: np.ndarray, prompt: np.ndarray, settings: GenerationSettings) -> list[float] | list[None]:
    """Probability of no speech for each row, from the prompt's logits (B, P, vocabulary)."""
    token = settings.no_speech_token_id
    start = np.flatnonzero(prompt[0] == settings.decoder_start_token_id)
    if token is None or not len(start):
        return [None] * len(prompt)
    scores = logits[:, start[0]].astype(np.float64)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    found: list[float] = (powers[:, token] / powers.sum(axis=-1)).tolist()
    return found
