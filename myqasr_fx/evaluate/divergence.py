"""How far a quantized model's distributions are from the full-precision ones, without any reference text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from myqasr_fx.errors import EvaluationError
from myqasr_fx.runtime.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Divergence:
    """Comparison position by position.

    Args:
        kl: Mean Kullback-Leibler divergence of the candidate from the reference, nats a position.
        agreement: Share of positions where both prefer the same token.
        tokens: Positions: tokens that the reference wrote and their ends, or frames of a CTC model.
    """

    kl: float
    agreement: float
    tokens: int


def measure_divergence(
    reference: Runtime, candidate: Runtime, clips: Sequence[np.ndarray], language: str | None = None
) -> Divergence:
    """Compares both along the tokens that the reference writes.

    Args:
        reference: The full-precision model.
        candidate: The quantized model.
        clips: Samples (T,) float32 at 16 kHz, at most 30 s each.
        language: Code for a multilingual model; None takes what the reference detects.

    Raises:
        EvaluationError: There is no clip, or the two models do not write the same tokens.
    """
    if not clips:
        raise EvaluationError("no clip to compare on")
    kl, same, tokens = 0.0, 0, 0
    for samples in clips:
        (said,) = reference.transcribe_batch([samples], language)
        expected = reference.logits(samples, said.tokens, said.language)
        got = candidate.logits(samples, said.tokens, said.language)
        if expected.shape != got.shape:
            raise EvaluationError(
                f"the models write different tokens: {expected.shape[-1]:,} and {got.shape[-1]:,} of them",
                hint="compare a bundle with the model that it was made from",
            )
        kl += float(divergence_of(expected, got).sum())
        same += int((expected.argmax(axis=-1) == got.argmax(axis=-1)).sum())
        tokens += len(expected)
    return Divergence(kl / tokens, same / tokens, tokens)


def divergence_of(expected: np.ndarray, got: np.ndarray) -> np.ndarray:
    """Kullback-Leibler divergence (L,) in nats of the distributions that logits (L, vocabulary) stand for."""
    reference, candidate = log_softmax(expected), log_softmax(got)
    divergence: np.ndarray = (np.exp(reference) * (reference - candidate)).sum(axis=-1)
    return divergence


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms (L, vocabulary) float64 of the probabilities that logits stand for."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    normalized: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalized
