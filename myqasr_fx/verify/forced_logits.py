"""Logits of what the full-precision model writes, graph after graph, so that no two need be in memory at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from myqasr_fx.bundle.context_record import SPEECH
from myqasr_fx.process.limits import Limits
from myqasr_fx.runtime import Runtime, WhisperRuntime, with_context
from myqasr_fx.runtime.opened import Opened


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A clip to compare on.

    Args:
        samples: (T,) float32 at 16 kHz.
        tokens: What the full-precision model writes; unused by models without a decoder.
        language: Code that it was told or found out.
    """

    samples: np.ndarray
    tokens: tuple[int, ...]
    language: str | None


def enough(runtime: Runtime, samples: Sequence[Sample], limits: Limits) -> tuple[list[Sample], list[np.ndarray]]:
    """The clips to compare on, as many as the limits ask for, and a runtime's logits (L, vocabulary) on them."""
    if isinstance(runtime, WhisperRuntime):
        samples = _first(samples, limits)
    used: list[Sample] = []
    logits: list[np.ndarray] = []
    for sample, values in zip(samples, forced_logits(runtime, samples), strict=True):
        used.append(sample)
        logits.append(values)
        if _are_enough([len(each) for each in logits], limits):
            break
    return used, logits


def forced_logits(runtime: Runtime, samples: Sequence[Sample]) -> Iterator[np.ndarray]:
    """Of the first clip as clients hear it, in 30 s; of the others in less, which the encoder must know how to take.

    They come one clip at a time, as they take hundreds of megabytes.
    """
    if not isinstance(runtime, WhisperRuntime):
        yield from (runtime.logits(sample.samples, sample.tokens, sample.language) for sample in samples)
        return
    shorter = with_context(runtime, SPEECH)
    if not isinstance(shorter, WhisperRuntime):
        raise TypeError("a Whisper in another context is a Whisper")
    states = [(shorter if position else runtime).encoded(each.samples) for position, each in enumerate(samples)]
    if isinstance(runtime.encoder, Opened):
        runtime.encoder.close()
    for state, sample in zip(states, samples, strict=True):
        yield runtime.logits_of(state, sample.tokens, sample.language)


def _first(samples: Sequence[Sample], limits: Limits) -> Sequence[Sample]:
    """As :func:`enough`, of clips whose positions are their tokens and the end."""
    positions = [len(sample.tokens) + 1 for sample in samples]
    counts = (count for count in range(1, len(samples)) if _are_enough(positions[:count], limits))
    return samples[: next(counts, len(samples))]


def _are_enough(positions: Sequence[int], limits: Limits) -> bool:
    return len(positions) >= limits.verified_clips and sum(positions) >= limits.verified_positions
