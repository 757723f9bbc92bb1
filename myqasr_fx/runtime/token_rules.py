"""Which tokens may follow a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from myqasr_fx.errors import ModelError
from myqasr_fx.models.generation import GenerationSettings

SECONDS_A_STEP = 0.02
"""From one timestamp token to the next."""

_LATEST_START = 50
"""Steps, 1 s: the first timestamp at most."""


class TokenRules:
    """Scores of what may not be written become -inf.

    Args:
        settings: Suppressed tokens.
        timestamps: The text holds times.

    Source: openai/whisper, decoding.py, SuppressTokens, SuppressBlank and ApplyTimestampRules.
    """

    def __init__(self, settings: GenerationSettings, *, timestamps: bool = False) -> None:
        self._always = list(settings.suppress_tokens)
        if timestamps:
            self._always.append(settings.no_timestamps_token_id)
        self._first = self._always + list(settings.begin_suppress_tokens)
        self._zero = settings.first_timestamp_id
        self._end = settings.eos_token_id
        self._timestamps = timestamps

    def apply(self, scores: np.ndarray, texts: Sequence[Sequence[int]]) -> None:
        """Changes ``scores`` (N, vocabulary) of what follows ``texts``, N of the same length.

        Raises:
            ModelError: Times are asked for, and no token tells one.
        """
        scores[:, self._always if texts[0] else self._first] = -np.inf
        if not self._timestamps:
            return
        if scores.shape[1] <= self._zero:
            raise ModelError("timestamps: the model has no tokens for times", hint="leave --timestamps out")
        for row, text in zip(scores, texts, strict=True):
            self._time(row, text)

    def _time(self, scores: np.ndarray, text: Sequence[int]) -> None:
        """Times open and close parts of the text, never go back, and are written where they are likelier than text."""
        zero = self._zero
        if not text:
            scores[:zero] = -np.inf
            scores[zero + _LATEST_START + 1 :] = -np.inf
            return
        opens = len(text) < 2 or text[-2] >= zero  # where the last token is a time
        if text[-1] >= zero:
            if opens:
                scores[zero:] = -np.inf
            else:
                scores[: self._end] = -np.inf
        last = next((token for token in reversed(text) if token >= zero), zero)
        closed = text[-1] >= zero and not opens
        scores[zero : last + (not closed)] = -np.inf
        times = scores[zero:]
        most = times.max()
        if most > -np.inf and most + np.log(np.exp(times - most).sum()) > scores[:zero].max():
            scores[:zero] = -np.inf
