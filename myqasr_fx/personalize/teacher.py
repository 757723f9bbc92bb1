"""What full precision makes of the test recordings, with which every quantized model is compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from myqasr_fx.audio import load_audio
from myqasr_fx.evaluate import Utterance
from myqasr_fx.evaluate.divergence import divergence_of, log_softmax
from myqasr_fx.evaluate.evaluator import spoken_language
from myqasr_fx.runtime.chunks import iter_chunks
from myqasr_fx.runtime.runtime import Runtime

MOST_BYTES = 2**30
"""Of remembered distributions; those of later recordings are computed again for every model."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A model beside full precision on one recording; see :class:`~myqasr_fx.personalize.ledger.Row`."""

    positions: int
    nats: float
    same: int


@dataclass(frozen=True, slots=True, eq=False)
class _Lesson:
    """One chunk: what full precision writes of it, and its distributions along that.

    Args:
        samples: (T,) float32 at 16 kHz.
        tokens: Ids behind the text.
        language: Told to a multilingual model.
        best: (L,) preferred token of every position.
        logs: (L, vocabulary) logarithms of the probabilities, float16: where a probability matters, its logarithm is
            small, and the same rounding is in all models' divergences.
    """

    samples: np.ndarray
    tokens: tuple[int, ...]
    language: str | None
    best: np.ndarray
    logs: np.ndarray


class Teacher:
    """Compares models with full precision along the tokens that full precision writes: no text is read.

    Args:
        full: The full-precision model.
    """

    def __init__(self, full: Runtime) -> None:
        self._full = full
        self._known: dict[str, tuple[_Lesson, ...]] = {}
        self._bytes = 0

    def compare(self, candidate: Runtime, utterance: Utterance) -> Compared:
        """How far ``candidate`` is from full precision on a recording of any length.

        Raises:
            AudioError: The recording cannot be used.
        """
        positions, nats, same = 0, 0.0, 0
        for lesson in self._lessons(utterance):
            got = candidate.logits(lesson.samples, lesson.tokens, lesson.language)
            positions += len(got)
            nats += float(divergence_of(lesson.logs.astype(np.float32), got).sum())
            same += int((got.argmax(axis=-1) == lesson.best).sum())
        return Compared(positions, nats, same)

    def _lessons(self, utterance: Utterance) -> tuple[_Lesson, ...]:
        key = str(utterance.audio)
        if key in self._known:
            return self._known[key]
        lessons = tuple(self._learn(utterance))
        size = sum(lesson.logs.nbytes for lesson in lessons)
        if self._bytes + size <= MOST_BYTES:
            self._known[key] = lessons
            self._bytes += size
        return lessons

    def _learn(self, utterance: Utterance) -> Iterator[_Lesson]:
        language = spoken_language(self._full, utterance.lang)
        for chunk in iter_chunks(load_audio(utterance.audio).samples):
            if chunk.any():
                (said,) = self._full.transcribe_batch([chunk], language)
                logits = self._full.logits(chunk, said.tokens, said.language)
                logs = log_softmax(logits).astype(np.float16)
                yield _Lesson(chunk, said.tokens, said.language, logits.argmax(axis=-1), logs)
