"""Decoding of a batch in numpy, a token a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.runtime.token_rules import TokenRules

Choose = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Scores (N, vocabulary) and their rows in the batch (N,) to tokens (N,)."""


class DecoderState(Protocol):
    """A decoder in the middle of a batch of texts."""

    def step(self, tokens: np.ndarray) -> np.ndarray:
        """Appends ``tokens`` (B, T) int64 and gives their logits (B, T, vocabulary)."""

    def keep(self, rows: np.ndarray) -> None:
        """Goes on with some rows (N,) of the batch only."""

    def reorder(self, rows: np.ndarray) -> None:
        """Gives every row the tokens of one of ``rows`` (B,), which hears the same clip."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a decoder wrote for a row.

    Args:
        tokens: Those after the prompt, without the end token.
        log_probability: Mean of the tokens and the end, nats; suppressed tokens share in nothing.
        no_speech: Probability of no speech, 0 to 1; None for a vocabulary without a token for it.
        temperature: That it was drawn at; 0 for none.
    """

    tokens: tuple[int, ...]
    log_probability: float
    no_speech: float | None
    temperature: float = 0.0


def best(scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The tokens with the highest scores."""
    found: np.ndarray = scores.argmax(axis=-1)
    return found


def greedy_decode(
    state: DecoderState,
    prompt: np.ndarray,
    settings: GenerationSettings,
    rules: TokenRules | None = None,
    choose: Choose = best,
) -> list[Written]:
    """Takes a token at every step until the end token or the longest allowed text.

    Args:
        state: A decoder that has seen no token.
        prompt: (B, P) int64 tokens to start from.
        settings: End token and longest text, prompt included.
        rules: What may be written; those of ``settings`` where there are none.
        choose: Takes a token; the best one, unless it is told.

    Source: openai/whisper, decoding.py: mean log-probability, and the no-speech token where the transcript starts.
    """
    rules = rules or TokenRules(settings)
    batch, length = prompt.shape
    sums = np.zeros(batch)
    no_speech: list[float] | list[None] = [None] * batch
    texts: list[list[int]] = [[] for _ in range(batch)]
    rows = np.arange(batch)
    tokens = prompt
    for position in range(length, settings.max_length):
        logits = state.step(tokens)
        if position == length:
            no_speech = no_speech_of(logits, prompt, settings)
        scores = logits[:, -1].copy()  # (B, vocabulary)
        rules.apply(scores, [texts[row] for row in rows])
        chosen = choose(scores, rows)
        sums[rows] += np.take_along_axis(scores, chosen[:, None], axis=-1)[:, 0] - log_sums(scores)
        alive = chosen != settings.eos_token_id
        if not alive.all():
            rows, chosen = rows[alive], chosen[alive]
            if not len(rows):
                break
            state.keep(np.flatnonzero(alive))
        for row, token in zip(rows, chosen, strict=True):
            texts[row].append(int(token))
        tokens = chosen[:, None].astype(np.int64)
    return [
        Written(tuple(text), float(total / (len(text) + 1)), probability)
        for text, total, probability in zip(texts, sums, no_speech, strict=True)
    ]


def log_sums(scores: np.ndarray) -> np.ndarray:
    """Logarithms (N,) of the sums of the powers of scores (N, vocabulary): what their log-probabilities lie below."""
    most = scores.max(axis=-1, keepdims=True)
    powers = scores - most
    np.exp(powers, out=powers)
    found: np.ndarray = most[:, 0] + np.log(powers.sum(axis=-1, dtype=np.float64))
    return found


def no_speech_of(logits: np.ndarray, prompt: np.ndarray, settings: GenerationSettings) -> list[float] | list[None]:
    """Probability of no speech for each row, from the prompt's logits (B, P, vocabulary)."""
    token = settings.no_speech_token_id
    start = np.flatnonzero(prompt[0] == settings.decoder_start_token_id)
    if token is None or not len(start):
        return [None] * len(prompt)
    scores = logits[:, start[0]].astype(np.float64)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    found: list[float] = (powers[:, token] / powers.sum(axis=-1)).tolist()
    return found
