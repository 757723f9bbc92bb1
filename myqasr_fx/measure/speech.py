"""Which of the clips hold speech, as the full-precision model hears them: the others teach it nothing."""

from __future__ import annotations

from myqasr_fx.audio import ClipSet, RejectedAudio, clip_name
from myqasr_fx.errors import AudioError
from myqasr_fx.measure.measurements import Observed

NO_SPEECH = "the model hears no speech in it"


def clips_with_speech(observed: Observed) -> ClipSet:
    """The clips in which the model hears speech; the others are among the rejected recordings, with the reason.

    Args:
        observed: Clips with what the model writes for each.

    Returns:
        The clips of ``observed`` themselves where nothing is left out.

    Raises:
        AudioError: It hears speech in none.
    """
    clips = observed.clips
    without = [clip for clip, said in observed.pairs() if said.no_speech]
    if not without:
        return clips
    kept = tuple(clip for clip, said in observed.pairs() if not said.no_speech)
    if not kept:
        names = ", ".join(map(clip_name, without[:3])) + (f" and {len(without) - 3} more" if len(without) > 3 else "")
        raise AudioError(
            f"no usable audio: the model hears no speech in any clip: {names}",
            hint="give recordings with speech; --no-speech-threshold 1 takes any",
        )
    rejected = tuple(RejectedAudio(clip.path, f"{clip_name(clip)}: {NO_SPEECH}") for clip in without)
    return ClipSet(kept, (*clips.rejected, *rejected), clips.note)
