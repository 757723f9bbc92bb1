"""Telling a text from what a model writes when nobody speaks."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from myqasr_fx.errors import OptionError
from myqasr_fx.runtime.greedy import Written


@dataclass(frozen=True, slots=True)
class NoSpeechRule:
    """When a recording holds no speech, from what Whisper itself says.

    The first two bounds are Whisper's own rule. It misses the quietest noises: tiny.en writes ``you`` for them with a
    log-probability of -0.4, and is sure at 0.84 to 0.95 that nobody speaks. The third bound is for those. Of 200
    English utterances, half of them single digits of half a second, the highest probability was 0.70.

    Args:
        probability: Of no speech, 0 to 1; above it there is none if the text is unlikely too.
        log_probability: Mean of the tokens, nats; below it a text is unlikely.
        certain: Probability of no speech above which there is none, however likely the text.

    Raises:
        OptionError: A probability is not between 0 and 1, or ``log_probability`` above 0.

    Source: openai/whisper, transcribe.py, no_speech_threshold and logprob_threshold.
    """

    probability: float = 0.6
    log_probability: float = -1.0
    certain: float = 0.8

    def __post_init__(self) -> None:
        for name in ("probability", "certain"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"no-speech {name} is {getattr(self, name)}, expected 0 to 1", hint="1 turns it off")
        if not self.log_probability <= 0:
            raise OptionError(f"no-speech log_probability is {self.log_probability}, expected 0 or less")

    def holds(self, written: Written) -> bool:
        """True when nothing was said."""
        if written.no_speech is None:
            return False
        unlikely = written.no_speech > self.probability and written.log_probability < self.log_probability
        return unlikely or written.no_speech > self.certain


def compression_ratio(text: str) -> float | None:
    """Bytes of a text to those of its zlib form; None for an empty text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else None
