"""A transcript as plain values, as lines, and as the text of each format."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from myqasr_fx.cli.subtitles import cues, lines, srt, vtt
from myqasr_fx.cli.visible import json_text, visible

if TYPE_CHECKING:
    from myqasr_fx.runtime import Segment, Transcript, Word

TOLD = ("text", "seconds", "language", "no_speech", "no_speech_probability", "log_probability", "compression_ratio")
"""Fields of a transcript that are printed as they are."""


class Format(StrEnum):
    """What a transcript is printed as."""

    TEXT = "text"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"


SUBTITLES = (Format.SRT, Format.VTT)


def transcript_data(name: str, said: Transcript, *, timed: bool) -> dict[str, Any]:
    """Plain values of one recording, with its segments where they have times."""
    told = {field: getattr(said, field) for field in TOLD}
    found = {"audio": name, **told, "note": said.note, "heard_again": said.heard_again}
    return {**found, "segments": [_segment(one) for one in said.segments]} if timed else found


def transcript_lines(said: Transcript, *, timed: bool) -> Sequence[str]:
    """The text in one line, or a line for each cue, its times before it; none where nothing is said."""
    if said.no_speech or not said.text:
        return []
    return [visible(line) for line in (lines(cues(said.segments)) if timed else [said.text])]


def subtitles(said: Transcript, printed: Format) -> str:
    """SRT or WebVTT, without a line's end behind the last."""
    told = cues(said.segments)
    return srt(told) if printed is Format.SRT else vtt(told)


def file_content(name: str, said: Transcript, printed: Format, *, timed: bool) -> str:
    """What a file of one recording holds."""
    if printed is Format.JSON:
        text = json_text(transcript_data(name, said, timed=timed), ascii_only=False)
    elif printed in SUBTITLES:
        text = subtitles(said, printed)
    else:
        text = "\n".join(transcript_lines(said, timed=timed))
    return f"{text}\n" if text else ""


def _segment(segment: Segment) -> dict[str, Any]:
    words = [_cue(word) for word in segment.words]
    return {**_cue(segment), "words": words} if words else _cue(segment)


def _cue(cue: Segment | Word) -> dict[str, Any]:
    """Seconds and text."""
    return {"start": round(cue.start, 3), "end": round(cue.end, 3), "text": cue.text}
