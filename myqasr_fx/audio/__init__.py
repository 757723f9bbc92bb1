"""Recordings: find, decode, resample, cut and choose. Needs no torch."""

from myqasr_fx.audio.clip import SAMPLING_RATE, Clip, base_name, clip_name
from myqasr_fx.audio.find import AUDIO_SUFFIXES, find_audio
from myqasr_fx.audio.load import iter_windows, load_audio
from myqasr_fx.audio.select import ClipSet, select_clips
from myqasr_fx.audio.source import AudioInput, RejectedAudio, found_inputs
from myqasr_fx.audio.unusable import no_usable_audio, reason_of

__all__ = [
    "AUDIO_SUFFIXES",
    "SAMPLING_RATE",
    "AudioInput",
    "Clip",
    "ClipSet",
    "RejectedAudio",
    "base_name",
    "clip_name",
    "find_audio",
    "found_inputs",
    "iter_windows",
    "load_audio",
    "no_usable_audio",
    "reason_of",
    "select_clips",
]
