"""Which clips are compared: those of the bundle's verdict, where the recordings are the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from myqasr_fx.acceptance.again import judged_clips
from myqasr_fx.audio import AudioInput, Clip, select_clips
from myqasr_fx.bundle.bundle import BundleManifest

USUAL_CLIPS = 32
"""That ``quantize`` uses at most, where a manifest does not say."""

MOST_CLIPS = 10_000
"""That a manifest is believed to have used."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Clips to compare on.

    Args:
        clips: At least one.
        judged: True when they are those of the verdict.
        alone: On how many of them single layers are tried, which takes time with each.
    """

    clips: tuple[Clip, ...]
    judged: bool
    alone: int = 3


def choose(audio: AudioInput | Iterable[AudioInput], manifest: BundleManifest, most: int) -> Chosen:
    """The clips of the verdict, or others where they are not all there.

    Args:
        audio: The recordings that the bundle was made with, or others.
        manifest: Of the bundle.
        most: Clips to try single layers on, and of other recordings clips to compare on.

    Raises:
        AudioError: No recording can be used.
    """
    recordings = [audio] if not isinstance(audio, Iterable) or isinstance(audio, str) else list(audio)
    if manifest.acceptance is not None and manifest.acceptance.judged:
        used, seed = (manifest.config.get(name) for name in ("max_clips", "seed"))
        used = used if isinstance(used, int) and 0 < used <= MOST_CLIPS else USUAL_CLIPS
        clips = select_clips(recordings, used, seed=seed if isinstance(seed, int) and seed >= 0 else 0)
        if found := judged_clips(manifest.acceptance, clips.clips):
            return Chosen(found, True, most)
    return Chosen(select_clips(recordings, most).clips, False, most)
