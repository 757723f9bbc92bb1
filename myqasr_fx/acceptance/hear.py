"""What the full-precision model writes for the clips to judge on: known, kept from an earlier run, or decoded."""

from __future__ import annotations

from pathlib import Path

from myqasr_fx.acceptance.compare import Heard
from myqasr_fx.acceptance.holdout import Split
from myqasr_fx.measure.observe import BATCH, Calibration
from myqasr_fx.measure.statistics_cache import read_transcripts, write_transcripts
from myqasr_fx.runtime import Runtime, Transcript


def hear(
    reference: Runtime, split: Split, calibration: Calibration, cached: Path | None, language: str | None
) -> tuple[Heard, ...]:
    """Each clip to judge on with the full-precision transcript; decodes at most once.

    Args:
        reference: The full-precision model.
        split: Its ``judged`` clips are heard.
        calibration: Holds the transcripts when no clip was held out.
        cached: Where transcripts of held-out clips are kept; None keeps none.
        language: Code for a multilingual model; None detects it.
    """
    if not split.held_out:
        known = dict(zip(calibration.clips.clips, calibration.transcripts, strict=True))
        return tuple(Heard(clip, known[clip]) for clip in split.judged)
    transcripts = (cached and read_transcripts(cached, len(split.judged))) or _decode(reference, split, language)
    if cached:
        write_transcripts(cached, transcripts)
    return tuple(Heard(clip, said) for clip, said in zip(split.judged, transcripts, strict=True))


def _decode(reference: Runtime, split: Split, language: str | None) -> tuple[Transcript, ...]:
    samples = [clip.samples for clip in split.judged]
    found: list[Transcript] = []
    for start in range(0, len(samples), BATCH):
        found += reference.transcribe_batch(samples[start : start + BATCH], language)
    return tuple(found)
