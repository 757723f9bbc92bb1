"""How far a quantized model's distributions are from the full-precision ones, without any reference text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from myqasr_fx.errors import EvaluationError
from myqasr_fx.runtime.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Divergence:
    """Comparison position by position; those of several clips add up.

    Args:
        tokens: Positions: tokens that the reference wrote and their ends, or frames of a CTC model.
        nats: Kullback-Leibler divergence of the candidate from the reference, summed over them.
        same: At how many both prefer the same token.
    """

    tokens: int = 0
    nats: float = 0.0
    same: int = 0

    def __add__(self, other: Divergence) -> Divergence:
        return Divergence(self.tokens + other.tokens, self.nats + other.nats, self.same + other.same)

    @property
    def kl(self) -> float:
        """Nats a position."""
        return self.nats / self.tokens

    @property
    def agreement(self) -> float:
        """Share of positions where both prefer the same token."""
        return self.same / self.tokens


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceLogits:
    """What the reference writes of a clip, and its distributions along that.

    Args:
        samples: (T,) float32 at 16 kHz, at most 30 s.
        tokens: Ids behind the text.
        language: Told to a multilingual model.
        best: (L,) preferred token of every position.
        logits: (L, vocabulary).
    """

    samples: np.ndarray
    tokens: tuple[int, ...]
    language: str | None
    best: np.ndarray
    logits: np.ndarray

    @classmethod
    def of(cls, reference: Runtime, samples: np.ndarray, language: str | None) -> ReferenceLogits:
        """Asks the reference; it detects the language when none is given."""
        (said,) = reference.transcribe_batch([samples], language)
        logits = reference.logits(samples, said.tokens, said.language)
        return cls(samples, said.tokens, said.language, logits.argmax(axis=-1), logits)

    def halved(self) -> ReferenceLogits:
        """The same in float16, to be kept.

        Logarithms of probabilities are stored: where a probability matters its logarithm is small, and the rounding is
        the same in all divergences from it.
        """
        return replace(self, logits=log_softmax(self.logits).astype(np.float16))

    def compare(self, candidate: Runtime) -> Divergence:
        """The candidate along the same tokens.

        Raises:
            EvaluationError: It writes other tokens.
        """
        got = candidate.logits(self.samples, self.tokens, self.language)
        check_alike(self.logits, got)
        same = int((self.best == got.argmax(axis=-1)).sum())
        return Divergence(len(got), float(divergence_of(self.logits, got).sum()), same)


def check_alike(reference: np.ndarray, candidate: np.ndarray) -> None:
    """Refuses two models by their logits (L, vocabulary) for the same sound.

    Raises:
        EvaluationError: They have other positions or tokens.
    """
    hint = "compare a bundle with the model that it was made from"
    (places, tokens), (own_places, own_tokens) = reference.shape, candidate.shape
    if tokens != own_tokens:
        raise EvaluationError(f"the models write different tokens: {tokens:,} and {own_tokens:,} of them", hint=hint)
    if places != own_places:
        raise EvaluationError(f"the models hear the same sound as {places:,} and {own_places:,} frames", hint=hint)


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
    found = (ReferenceLogits.of(reference, samples, language).compare(candidate) for samples in clips)
    return sum(found, start=Divergence())


def divergence_of(expected: np.ndarray, got: np.ndarray) -> np.ndarray:
    """Kullback-Leibler divergence (L,) in nats of the distributions that logits (L, vocabulary) stand for."""
    reference, candidate = log_softmax(expected), log_softmax(got)
    divergence: np.ndarray = (np.exp(reference) * (reference - candidate)).sum(axis=-1)
    return divergence


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms (L, vocabulary) float64 of the probabilities that logits stand for."""
    values = logits.astype(np.float64)
    shifted = values - values.max(axis=-1, keepdims=True)
    normalized: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalized
