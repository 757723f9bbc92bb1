"""Which of the clips hold speech, as the full-precision model hears them: the others teach it nothing."""

from __future__ import annotations

from dataclasses import replace

from myqasr_fx.audio import ClipSet, RejectedAudio, clip_name
from myqasr_fx.errors import AudioError
from myqasr_fx.measure.measurements import Observed
from myqasr_fx.runtime.no_speech import USUAL, NoSpeechRule
from myqasr_fx.runtime.speech_detector import speech_detector

NO_SPEECH = "the model hears no speech in it"


def no_speech_rule(no_speech_threshold: float | None, vad_threshold: float | None) -> NoSpeechRule:
    """The usual rule but for these bounds, where they are given.

    Raises:
        OptionError: It asks an extra that is not installed.
    """
    if vad_threshold is not None:
        speech_detector()
    rule = replace(USUAL, vad_threshold=vad_threshold)
    return rule if no_speech_threshold is None else replace(rule, no_speech_threshold=no_speech_threshold)


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
            hint="give recordings with speech; --no-speech-threshold 1 without --vad-threshold takes any",
        )
    rejected = tuple(RejectedAudio(clip.path, f"{clip_name(clip)}: {NO_SPEECH}") for clip in without)
    return ClipSet(kept, (*clips.rejected, *rejected), clips.note)
