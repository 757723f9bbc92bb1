"""How much of the 30 s that Whisper was trained on its encoder hears: all, or the audio and a margin behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.bundle.context_record import FRAMES_A_SECOND
from myqasr_fx.bundle.untrusted_json import short
from myqasr_fx.errors import OptionError

FRAME = SAMPLING_RATE // FRAMES_A_SECOND
"""Samples of an encoder frame, which is two frames of the spectrogram."""

STEP = 32
"""Contexts are whole numbers of so many frames, where silence is cut off: clips of one length are decoded together."""

LONGEST = 1500
"""Frames of 30 s."""

LEAST = 512
"""Frames that are heard at least where silence is cut off."""

LEAST_COUNTED = 384
"""The same where silence counts: of shorter clips more words changed."""

USUAL_MARGIN = 128
"""Frames for a bundle that no margin was judged for; ``docs/limits.md`` has the figures."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is heard beside the audio itself.

    Args:
        margin: Frames of 20 ms behind the audio, at least; None: as many as make 30 s, as in training.
        least: Fewest frames, however short the audio: below, a model that was never trained on it writes loops.
        fallback: Hear a clip in 30 s after all where the text of a shorter context is doubtful.
        silence: Frames of the silence behind the margin that one stands for; None: they are not heard.

    Raises:
        OptionError: A number of frames is none.
    """

    margin: int | None = None
    least: int = LEAST
    fallback: bool = True
    silence: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("margin", self.margin or 0), ("least", self.least), ("silence", self.silence or 0)):
            if type(value) is not int or not 0 <= value <= LONGEST:
                raise OptionError(f"context {name} {short(value)}: expected 0 to {LONGEST} frames of 20 ms")

    @classmethod
    def of(cls, silence: int | None, margin: int | None = None) -> Context:
        """What suits graphs in which a frame stands for ``silence`` of them; None: in which silence is cut off."""
        return cls(margin) if silence is None else cls(margin, least=LEAST_COUNTED, silence=silence)

    def cut(self, features: np.ndarray, samples: int) -> np.ndarray:
        """The beginning of a spectrogram (1, bins, frames) of 30 s that the encoder is to hear.

        Args:
            features: Of audio at its beginning and silence behind it.
            samples: Of the audio.
        """
        if self.margin is None:
            return features
        frames = max(-(-samples // FRAME) + self.margin, self.least)
        step = self.silence or STEP
        frames = step * -(-frames // step) + 2 * (self.silence or 0)  # those at the end of 30 s are always heard
        return np.ascontiguousarray(features[:, :, : 2 * frames])


FULL = Context()


def same_lengths(inputs: Sequence[np.ndarray]) -> list[list[int]]:
    """Positions of inputs (1, bins, frames) that have the same number of frames, together."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for position, features in enumerate(inputs):
        found[features.shape[-1]].append(position)
    return list(found.values())
