"""What the full-precision model says about a clip does not depend on the budget: a second one need not ask it again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from myqasr_fx.measure.store import Store
from myqasr_fx.runtime import Runtime, Transcript


class KeptLogits:
    """A model whose logits are kept from one run to the next, in one file a clip; it transcribes as ever.

    Args:
        runtime: The model.
        store: Keeps them.
        most_bytes: Of logits that one run keeps.
    """

    def __init__(self, runtime: Runtime, store: Store, most_bytes: int) -> None:
        self._runtime = runtime
        self._store = store
        self._left = most_bytes

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
        key = self._store.keys.logits(heard, tokens, language)
        known = self._store.read(key)
        if known is not None:
            return np.asarray(known.numpy())
        found = self._runtime.logits(samples, tokens, language)
        self._left -= found.nbytes
        if self._left >= 0:
            self._store.write(key, torch.from_numpy(np.ascontiguousarray(found)))
        return found
