"""What the full-precision model says about a clip does not depend on the budget: a second one need not ask it again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from myqasr_fx.measure.statistics_cache import read_logits, write_logits
from myqasr_fx.runtime import Runtime, Transcript

LogitsFile = Callable[[Sequence[str]], Path]

MOST_BYTES = 256_000_000
"""Logits that one run keeps at most: of more clips than fit in here the rest is computed again."""


class KeptLogits:
    """A model whose logits are kept from one run to the next, in one file a clip; it transcribes as ever.

    Args:
        runtime: The model.
        file: Gives the place of what a key names: all that the logits depend on besides the model.
    """

    def __init__(self, runtime: Runtime, file: LogitsFile) -> None:
        self._runtime = runtime
        self._file = file
        self._left = MOST_BYTES

    @property
    def model_bytes(self) -> int:
        """Of the model."""
        return self._runtime.model_bytes

    def transcribe(self, audio: str | Path | np.ndarray, language: str | None = None) -> Transcript:
        """As the model does."""
        return self._runtime.transcribe(audio, language)

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        """As the model does."""
        return self._runtime.transcribe_batch(clips, language)

    def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        """Logits (L, vocabulary) as of :meth:`~myqasr_fx.runtime.runtime.Runtime.logits`, bit for bit.

        Raises:
            OutputError: The folder cannot be written.
        """
        heard = hashlib.sha256(np.ascontiguousarray(samples, np.float32).tobytes()).hexdigest()
        path = self._file((heard, " ".join(map(str, tokens)), language or ""))
        known = read_logits(path)
        if known is not None:
            return known
        found = self._runtime.logits(samples, tokens, language)
        self._left -= found.nbytes
        if self._left >= 0:
            write_logits(path, found)
        return found
