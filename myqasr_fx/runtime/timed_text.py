"""Parts of a text between the times that the model wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.runtime.token_rules import SECONDS_A_STEP


@dataclass(frozen=True, slots=True)
class TimedTokens:
    """A part of a text.

    Args:
        start: Seconds from the begin of the clip.
        end: Likewise.
        tokens: Of the text, without times.
    """

    start: float
    end: float
    tokens: tuple[int, ...]


def timed_tokens(tokens: Sequence[int], settings: GenerationSettings, seconds: float) -> list[TimedTokens]:
    """The parts with a text.

    Args:
        tokens: As the model wrote them; what no time opens begins where the part before ends, what none closes ends
            with the clip.
        settings: Which tokens are times.
        seconds: Length of the clip, which no time is beyond.
    """
    zero = settings.first_timestamp_id
    parts: list[TimedTokens] = []
    begin, text = 0.0, list[int]()
    for token in tokens:
        if token < zero:
            text.append(token)
            continue
        time = min((token - zero) * SECONDS_A_STEP, seconds)
        if text:
            parts.append(TimedTokens(begin, time, tuple(text)))
            text = []
        begin = time
    if text:
        parts.append(TimedTokens(begin, seconds, tuple(text)))
    return parts


def unheard_from(tokens: Sequence[int], settings: GenerationSettings) -> float | None:
    """Seconds from where on the model did not listen: it opened a part and stopped; None where it heard all."""
    zero = settings.first_timestamp_id
    if len(tokens) < 2 or min(tokens[-2:]) < zero:
        return None
    return (tokens[-1] - zero) * SECONDS_A_STEP
