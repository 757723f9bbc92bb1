"""What the full-precision model writes for the clips to judge on: known, kept from an earlier run, or decoded."""

from __future__ import annotations

from collections.abc import Sequence

from myqasr_fx.acceptance.compare import Heard
from myqasr_fx.acceptance.trial import Trial
from myqasr_fx.audio import Clip
from myqasr_fx.runtime import Runtime, Transcript


def hear(reference: Runtime, trial: Trial, batch: int) -> tuple[Heard, ...]:
    """Each clip to judge on with the full-precision transcript; decodes at most once.

    Args:
        reference: The full-precision model.
        trial: Clips, and what is known of them.
        batch: Clips decoded together.
    """
    judged = trial.shares.judge
    if not trial.shares.held_out:
        known = dict(trial.observed.pairs())
        return tuple(Heard(clip, known[clip]) for clip in judged)

    key = trial.store.keys.transcripts(judged)
    found = trial.store.read(key)
    if found is None or len(found) != len(judged):
        found = decoded(reference, judged, trial.language, batch)
        trial.store.write(key, found)
    return tuple(Heard(clip, said) for clip, said in zip(judged, found, strict=True))


def decoded(reference: Runtime, clips: Sequence[Clip], language: str | None, batch: int) -> tuple[Transcript, ...]:
    """What the model writes for clips.

    Args:
        reference: The full-precision model.
        clips: To hear.
        language: Code for a multilingual model; None detects it.
        batch: Clips decoded together.
    """
    samples = [clip.samples for clip in clips]
    found: list[Transcript] = []
    for start in range(0, len(samples), batch):
        found += reference.transcribe_batch(samples[start : start + batch], language)
    return tuple(found)
