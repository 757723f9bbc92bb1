"""Subtitles of a transcript, as SRT or WebVTT."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from myqasr_fx.cli.visible import visible

if TYPE_CHECKING:
    from myqasr_fx.runtime import Segment


def srt(segments: Sequence[Segment]) -> str:
    """Numbered cues, without a line's end behind the last."""
    return "\n\n".join(
        f"{number}\n{_times(segment, ',')}\n{_line(segment.text).replace('-->', '->')}"
        for number, segment in enumerate(segments, 1)
    )


def vtt(segments: Iterable[Segment]) -> str:
    """Cues below their header, without a line's end behind the last.

    Source: W3C WebVTT, section 4.1: cue text has no ``&``, ``<`` or arrow of its own.
    """
    cues = (f"{_times(segment, '.')}\n{_escaped(_line(segment.text))}" for segment in segments)
    return "\n\n".join(("WEBVTT", *cues))


def _times(segment: Segment, point: str) -> str:
    return f"{_time(segment.start, point)} --> {_time(segment.end, point)}"


def _time(seconds: float, point: str) -> str:
    minutes, milliseconds = divmod(round(1000 * seconds), 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{milliseconds // 1000:02d}{point}{milliseconds % 1000:03d}"


def _line(text: str) -> str:
    """``text`` in one line: an empty one would end the cue."""
    return visible(" ".join(text.split()))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
