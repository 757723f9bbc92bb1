"""Subtitles of a transcript, as SRT or WebVTT."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from myqasr_fx.cli.visible import visible

if TYPE_CHECKING:
    from myqasr_fx.runtime import Segment, Word


def cues(segments: Iterable[Segment]) -> tuple[Segment | Word, ...]:
    """What is shown at a time: a word where their times are known, else a segment."""
    return tuple(cue for segment in segments for cue in segment.words or (segment,))


def lines(cues: Iterable[Segment | Word]) -> list[str]:
    """A line for each cue, its times before it."""
    return [f"[{_times(cue, '.')}] {' '.join(cue.text.split())}" for cue in cues]


def srt(cues: Sequence[Segment | Word]) -> str:
    """Numbered cues, without a line's end behind the last."""
    return "\n\n".join(
        f"{number}\n{_times(cue, ',')}\n{_line(cue.text).replace('-->', '->')}" for number, cue in enumerate(cues, 1)
    )


def vtt(cues: Iterable[Segment | Word]) -> str:
    """Cues below their header, without a line's end behind the last.

    Source: W3C WebVTT, section 4.1: cue text has no ``&``, ``<`` or arrow of its own.
    """
    return "\n\n".join(("WEBVTT", *(f"{_times(cue, '.')}\n{_escaped(_line(cue.text))}" for cue in cues)))


def _times(cue: Segment | Word, point: str) -> str:
    return f"{_time(cue.start, point)} --> {_time(cue.end, point)}"


def _time(seconds: float, point: str) -> str:
    minutes, milliseconds = divmod(round(1000 * seconds), 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{milliseconds // 1000:02d}{point}{milliseconds % 1000:03d}"


def _line(text: str) -> str:
    """``text`` in one line: an empty one would end the cue."""
    return visible(" ".join(text.split()))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
