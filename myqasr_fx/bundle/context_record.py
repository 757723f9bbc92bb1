"""In which context a bundle was judged, as ``myqasr.json`` keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from myqasr_fx.bundle.records import check_least
from myqasr_fx.bundle.verdict_record import VERDICTS

FULL, SPEECH = "full", "speech"
"""What the option ``context`` may be: 30 s, or the audio and a margin behind it."""

FRAMES_A_SECOND = 50
"""Of Whisper's encoder, in which margins are counted."""

COUNTED = 20
"""Frames of silence that one stands for, where the graphs count them: 10 and 40 do no better."""


def silence_in(context: str, *, fixed_cache: bool) -> int | None:
    """Frames of silence that one stands for in the graphs of a bundle; None: graphs that do not count them.

    Args:
        context: The option.
        fixed_cache: The layout's: sherpa-onnx feeds 30 s, whatever is asked.
    """
    return COUNTED if context == SPEECH and not fixed_cache else None


@dataclass(frozen=True, slots=True)
class TriedContext:
    """What the bundle does with a margin, beside full precision in 30 s.

    Args:
        margin: Frames of 20 ms behind the audio.
        verdict: As of the bundle in 30 s, by the same bounds on the same clips.
        agreement: Share of positions with the same best token.
        kl: Mean Kullback-Leibler divergence from full precision, nats a position.
        changes: Words written differently, left out and added, a word.
        heard_again: Clips whose text was doubtful and that were heard in 30 s after all.
    """

    margin: int
    verdict: str
    agreement: float
    kl: float
    changes: float
    heard_again: int

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict: {self.verdict[:40]!r}, expected {', '.join(VERDICTS)}")
        check_least(self, ("margin", "agreement", "kl", "changes", "heard_again"))


@dataclass(frozen=True, slots=True)
class ContextRecord:
    """The shortest context in which the bundle holds what it holds in 30 s.

    Args:
        margin: Frames of 20 ms behind the audio; None: no margin held it, and the bundle hears 30 s.
        least: Fewest frames, however short the audio.
        tried: Every margin, the shortest first.
        silence: Frames of silence behind the margin that one stands for; None: they are not heard.
    """

    margin: int | None
    least: int
    tried: tuple[TriedContext, ...]
    silence: int | None = None

    def __post_init__(self) -> None:
        check_least(self, ("margin", "least"))
        if self.silence is not None and self.silence < 1:
            raise ValueError(f"silence: {self.silence}, expected at least 1")
        if self.margin is not None and self.margin not in {each.margin for each in self.tried}:
            raise ValueError(f"margin: {self.margin}, expected one that was tried")
