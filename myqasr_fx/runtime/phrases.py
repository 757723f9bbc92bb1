"""Sound that comes in blocks, cut into phrases where nobody speaks for a moment.

A frame is loud where it lies well above the quiet ones of the last seconds. What is cut depends on the samples alone,
not on the blocks that they come in.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from myqasr_fx.audio.clip import MIN_SAMPLES, SAMPLING_RATE

FRAME = SAMPLING_RATE // 50
"""Samples that are loud or quiet together, 20 ms."""

_BEFORE = 15
"""Frames before the first loud one that a phrase begins with: first letters are soft."""

_REMEMBERED = 500
"""Frames that tell how quiet it is where nobody speaks."""

_FEW = 100
"""Fewer frames do not tell that."""

_FLOORS = (-70.0, -35.0)
"""Quietest and loudest place of nobody, decibels below full scale; and what is taken until it is known."""
_USUAL_FLOOR = -60.0
_ABOVE = 12.0

_LONGEST = 1400
"""Frames, 28 s, that a phrase has at most: a model hears 30 s."""

_SEARCHED = 250
"""Frames at the end of a phrase that is too long, where the quietest place is looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Phrase:
    """Sound in which somebody may speak.

    Args:
        start: Its first sample, from the first one of all.
        samples: (T,) float32 at 16 kHz.
    """

    start: int
    samples: np.ndarray


class Phrases:
    """Cuts sound at 16 kHz; what is left of a cut and too short for any model is no phrase.

    Args:
        pause: Seconds without a loud frame that end a phrase.
    """

    def __init__(self, pause: float) -> None:
        self._pause = max(1, round(pause * SAMPLING_RATE / FRAME))
        self._rest = np.zeros(0, np.float32)
        self._frames: list[np.ndarray] = []
        self._levels: deque[float] = deque(maxlen=_REMEMBERED)
        self._begin = 0
        self._quiet = 0
        self._speaking = False

    def feed(self, block: np.ndarray) -> list[Phrase]:
        """The phrases that end within a block (T,) of samples."""
        samples = np.concatenate([self._rest, block])
        whole = len(samples) // FRAME * FRAME
        self._rest = samples[whole:]
        ended = (self._take(frame) for frame in samples[:whole].reshape(-1, FRAME))
        return [phrase for phrase in ended if phrase is not None and len(phrase.samples) >= MIN_SAMPLES]

    def current(self) -> Phrase | None:
        """What has been heard of a phrase that has not ended; None where there is none, or too little of it."""
        if not self._speaking or len(self._frames) * FRAME + len(self._rest) < MIN_SAMPLES:
            return None
        return Phrase(self._begin * FRAME, np.concatenate([*self._frames, self._rest]))

    def finish(self) -> Phrase | None:
        """The phrase that the end of all sound ends, if there is one."""
        last = self.current()
        self._drop(len(self._frames))
        self._rest, self._speaking = self._rest[:0], False
        return last

    def _take(self, frame: np.ndarray) -> Phrase | None:
        loud = self._is_loud(frame)
        self._frames.append(frame)
        self._quiet = 0 if loud else self._quiet + 1
        if not self._speaking:
            self._speaking = loud
            if not loud and len(self._frames) > _BEFORE:
                self._drop(1)
            return None
        if self._quiet >= self._pause:
            self._speaking = False
            return self._cut(len(self._frames))
        return self._cut(self._quiet_place()) if len(self._frames) >= _LONGEST else None

    def _is_loud(self, frame: np.ndarray) -> bool:
        level = 10 * float(np.log10(np.square(frame, dtype=np.float64).mean() + 1e-12))
        self._levels.append(level)
        floor = _USUAL_FLOOR
        if len(self._levels) >= _FEW:
            floor = float(np.clip(np.percentile(self._levels, 10), *_FLOORS))
        return level > floor + _ABOVE

    def _quiet_place(self) -> int:
        """Frames before the quietest of the last ones."""
        energy = [float(np.square(frame).sum()) for frame in self._frames[-_SEARCHED:]]
        return len(self._frames) - _SEARCHED + int(np.argmin(energy)) + 1

    def _cut(self, count: int) -> Phrase:
        phrase = Phrase(self._begin * FRAME, np.concatenate(self._frames[:count]))
        self._drop(count)
        return phrase

    def _drop(self, count: int) -> None:
        del self._frames[:count]
        self._begin += count
