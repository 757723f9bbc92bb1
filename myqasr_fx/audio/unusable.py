"""Why recordings cannot be used."""

from __future__ import annotations

from collections.abc import Sequence

from myqasr_fx.errors import AudioError

EXTRA = "pip install 'myqasr-fx[audio]'"
"""What reads the recordings of phones and messengers."""

_NEEDS_EXTRA = f" ({EXTRA})"


def reason_of(error: AudioError) -> str:
    """A recording's reason among others: without the hint, unless that is what makes the recording usable."""
    return f"{error.message}{_NEEDS_EXTRA}" if error.hint == EXTRA else error.message


def no_usable_audio(reasons: Sequence[str]) -> AudioError:
    """The error for recordings of which none can be used, each for its reason; what they need is said once."""
    shown = "; ".join(reason.removesuffix(_NEEDS_EXTRA) for reason in reasons[:3])
    more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    needed = any(reason.endswith(_NEEDS_EXTRA) for reason in reasons)
    return AudioError(
        f"no usable audio: {shown}{more}", hint=EXTRA if needed else "give at least one recording with speech"
    )
