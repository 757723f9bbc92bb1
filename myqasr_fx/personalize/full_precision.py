"""What full precision makes of the test recordings, with which every quantized model is compared."""

from __future__ import annotations

from myqasr_fx.audio import load_audio
from myqasr_fx.evaluate import Utterance
from myqasr_fx.evaluate.divergence import Divergence, ReferenceLogits
from myqasr_fx.evaluate.evaluator import spoken_language
from myqasr_fx.runtime.chunks import iter_chunks
from myqasr_fx.runtime.runtime import Runtime

MOST_BYTES = 2**30
"""Of remembered distributions; those of later recordings are computed again for every model."""


class FullPrecision:
    """Compares models with full precision along the tokens that full precision writes: no text is read.

    Args:
        full: The full-precision model.
    """

    def __init__(self, full: Runtime) -> None:
        self._full = full
        self._known: dict[str, tuple[ReferenceLogits, ...]] = {}
        self._bytes = 0

    def compare(self, candidate: Runtime, utterance: Utterance) -> Divergence:
        """How far ``candidate`` is from full precision on a recording of any length.

        Raises:
            AudioError: The recording cannot be used.
        """
        return sum((reference.compare(candidate) for reference in self._references(utterance)), start=Divergence())

    def _references(self, utterance: Utterance) -> tuple[ReferenceLogits, ...]:
        key = str(utterance.audio)
        if key in self._known:
            return self._known[key]
        language = spoken_language(self._full, utterance.lang)
        chunks = [chunk for chunk in iter_chunks(load_audio(utterance.audio).samples) if chunk.any()]
        references = tuple(ReferenceLogits.of(self._full, chunk, language).halved() for chunk in chunks)
        size = sum(reference.logits.nbytes for reference in references)
        if self._bytes + size <= MOST_BYTES:
            self._known[key] = references
            self._bytes += size
        return references
