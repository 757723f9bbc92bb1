"""Recordings as part of a page: MP3, which every browser plays."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable

import soundfile

from myqasr_fx.audio import SAMPLING_RATE, Clip, clip_name


def data_addresses(clips: Iterable[Clip], room: int) -> dict[str, str]:
    """Clip name to a ``data:`` address, for as many of the clips as fit.

    Args:
        clips: In the order in which they get their place.
        room: Most characters of all addresses together.
    """
    found: dict[str, str] = {}
    for clip in clips:
        address = f"data:audio/mpeg;base64,{base64.b64encode(_mp3(clip)).decode('ascii')}"
        if len(address) <= room:
            found[clip_name(clip)] = address
            room -= len(address)
    return found


def _mp3(clip: Clip) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, clip.samples.clip(-1, 1), SAMPLING_RATE, format="MP3", subtype="MPEG_LAYER_III")
    return buffer.getvalue()
