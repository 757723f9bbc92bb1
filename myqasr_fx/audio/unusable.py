"""Why recordings cannot be used."""

from __future__ import annotations

from collections.abc import Sequence

from myqasr_fx.errors import AudioError

EXTRA = "pip install 'myqasr-fx[audio]'"
"""What reads the recordings of phones and messengers."""

_NEEDS_EXTRA = f" ({EXTRA})"

_NAMED = 3
"""Recordings that an error names."""


def reason_of(error: AudioError) -> str:
    """A recording's reason among others: without the hint, unless that is what makes the recording usable."""
    return f"{error.message}{_NEEDS_EXTRA}" if error.hint == EXTRA else error.message


def no_usable_audio(reasons: Sequence[str]) -> AudioError:
    """The error for recordings of which none can be used, each for its reason; what they need is said once."""
    shown = first_of([reason.removesuffix(_NEEDS_EXTRA) for reason in reasons])
    needed = any(reason.endswith(_NEEDS_EXTRA) for reason in reasons)
    return AudioError(f"no usable audio: {shown}", hint=EXTRA if needed else "give at least one recording with speech")


def first_of(reasons: Sequence[str]) -> str:
    """The first of them, and how many there are besides."""
    more = f"; and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
    return "; ".join(reasons[:_NAMED]) + more
