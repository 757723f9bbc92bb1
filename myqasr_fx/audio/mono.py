"""One channel out of many: their mean, or the loudest of them where the mean cancels them out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Tell = Callable[[str], None]
"""Told, once a file, what was done to it that its user may not expect."""

CANCELLED = "the channels cancel each other out, only the loudest is used"

_LEAST_SHARE = 0.02
"""Power of the mean, as a share of what it has for channels that have nothing in common, below which they cancel."""


def ignore(text: str) -> None:
    """Who is told and does nothing."""


class MonoMixer:
    """Averages the channels of a file's blocks.

    A stereo recording with one channel wired the wrong way round is silence in the mean. There the loudest channel is
    taken, the same one for the rest of the file.

    Args:
        tell: Told when that happens first.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._loudest: int | None = None

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Samples (T,) float32 of samples (T, C) float32."""
        mean: np.ndarray = block.mean(axis=1, dtype=np.float32)
        channels = block.shape[1]
        if channels == 1 or not len(block):
            return mean
        powers = np.square(block).mean(axis=0, dtype=np.float64)
        unrelated = powers.sum() / channels**2
        if not np.square(mean).mean(dtype=np.float64) < _LEAST_SHARE * unrelated:  # also where samples are NaN
            return mean
        if self._loudest is None or self._loudest >= channels:
            self._loudest = int(powers.argmax())
            self._tell(CANCELLED)
        return np.ascontiguousarray(block[:, self._loudest])
