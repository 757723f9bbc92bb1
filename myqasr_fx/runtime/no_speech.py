"""Telling a text from what a model writes when nobody speaks."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from myqasr_fx.bundle.untrusted_json import short
from myqasr_fx.errors import OptionError
from myqasr_fx.runtime.greedy import Written
from myqasr_fx.runtime.speech_detector import speech_detector


@dataclass(frozen=True, slots=True)
class NoSpeechRule:
    """When a recording holds no speech, from what Whisper itself says.

    The first three bounds are Whisper's own, under its names; but its 0.6 for the first empties digits that tiny.en
    hears rightly. They miss most noises: tiny.en writes ``you`` for them with a log-probability of -0.4, and is sure at
    0.84 to 0.95 that nobody speaks. The fourth bound is for those. ``benchmarks/no_speech.py`` has the figures.

    Args:
        no_speech_threshold: Probability of no speech, 0 to 1, above which there is none if the text is doubtful too; at
            1 the rule is off.
        logprob_threshold: Mean log-probability of the tokens, nats, below which a text is doubtful.
        compression_ratio_threshold: Of the text, above which it repeats itself and is doubtful: what Whisper would
            decode again at a higher temperature.
        certain: Probability of no speech above which there is none, however good the text; at least that of
            ``no_speech_threshold``.
        vad_threshold: Probability of speech, 0 to 1, that some 32 ms must reach to silero-vad, an extra, which hears
            the samples themselves; also for models that do not tell. None does not ask it.

    Raises:
        OptionError: A bound is not a number, or none that can be reached.

    Source: openai/whisper, transcribe.py, the arguments of the same names.
    """

    no_speech_threshold: float = 0.7
    logprob_threshold: float = -1.0
    compression_ratio_threshold: float = 2.4
    certain: float = 0.8
    vad_threshold: float | None = None

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            low, high, expected = _EXPECTED[name]
            value = getattr(self, name)
            if value is None and name == "vad_threshold":
                continue
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not low <= value <= high:
                raise OptionError(f"{name.replace('_', ' ')} {short(value)}: expected {expected}")

    def holds(self, written: Written, ratio: float | None = None) -> bool:
        """True when nothing was said.

        Args:
            written: By the decoder.
            ratio: What :func:`compression_ratio` gives for its text.
        """
        if written.no_speech is None:
            return False
        doubtful = self.doubts(written.log_probability, ratio)
        bound = self.no_speech_threshold if doubtful else max(self.certain, self.no_speech_threshold)
        return written.no_speech > bound

    def doubts(self, log_probability: float | None, ratio: float | None) -> bool:
        """True for a text that repeats itself, or that the model is not sure of.

        Args:
            log_probability: Mean of its tokens, nats; None where it is not known.
            ratio: What :func:`compression_ratio` gives for it.
        """
        repeats = ratio is not None and ratio > self.compression_ratio_threshold
        return repeats or (log_probability is not None and log_probability < self.logprob_threshold)

    def hears_none(self, samples: np.ndarray) -> bool:
        """True when silero-vad is asked, and hears no speech in samples (T,) float32 at 16 kHz.

        Raises:
            OptionError: It is not installed.
        """
        if self.vad_threshold is None:
            return False
        return bool(speech_detector().probabilities(samples).max(initial=0.0) < self.vad_threshold)


_EXPECTED: Mapping[str, tuple[float, float, str]] = {
    "no_speech_threshold": (0, 1, "0 to 1"),
    "logprob_threshold": (float("-inf"), 0, "0 or less"),
    "compression_ratio_threshold": (0, float("inf"), "at least 0"),
    "certain": (0, 1, "0 to 1"),
    "vad_threshold": (0, 1, "0 to 1"),
}
"""Lowest and highest value of every bound, and both in words."""

USUAL = NoSpeechRule()


def compression_ratio(text: str) -> float | None:
    """Bytes of a text to those of its zlib form; None for an empty text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else None
