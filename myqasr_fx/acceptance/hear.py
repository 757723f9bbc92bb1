"""What the full-precision model writes for the clips to judge on: known, kept from an earlier run, or decoded."""

from __future__ import annotations

from myqasr_fx.acceptance.compare import Heard
from myqasr_fx.acceptance.trial import Trial
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

    def decode() -> tuple[Transcript, ...]:
        samples = [clip.samples for clip in judged]
        found: list[Transcript] = []
        for start in range(0, len(samples), batch):
            found += reference.transcribe_batch(samples[start : start + batch], trial.language)
        return tuple(found)

    key = trial.store.keys.transcripts(judged)
    found = trial.store.read(key)
    if found is None or len(found) != len(judged):
        found = decode()
        trial.store.write(key, found)
    return tuple(Heard(clip, said) for clip, said in zip(judged, found, strict=True))
