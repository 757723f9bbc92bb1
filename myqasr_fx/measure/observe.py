"""Runs the observed graphs on the user's clips: once, for every statistic.

Whisper's decoder sees the tokens that the full-precision model itself writes, in prefill and in cached steps.
"""

from __future__ import annotations

from myqasr_fx.audio import ClipSet
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measurements import Measurements, Observed
from myqasr_fx.process.progress import MODEL_PASSES
from myqasr_fx.runtime import Context, Transcript
from myqasr_fx.runtime.context import USUAL_MARGIN
from myqasr_fx.runtime.torch_runner import torch_runtime
from passes.base import Pass, Program
from passes.manager.run_passes import run_passes
from passes.needs import Needs
from passes.observe.insert_gram_observers import InsertGramObservers, read_grams
from passes.observe.insert_observers import InsertObservers, read_statistics

OBSERVE = "observe activations"
"""Name of the stage."""


def observers(needs: Needs) -> tuple[Pass, ...]:
    """The passes that insert what has to watch the graphs.

    Curvature brings the Gram matrices of most layers. Its few clips hold too few tokens for a matrix of all words, so
    that of a layer whose rows are also looked up is observed all the same.
    """
    return (InsertObservers(), *([InsertGramObservers(looked_up=needs.curvature)] if needs.grams else []))


def observe(job: MeasureJob, clips: ClipSet) -> Measurements:
    """Transcribes the clips with the observed full-precision graphs.

    Args:
        job: Model, needs and store.
        clips: At least one.
    """
    if not job.request.statistics:
        return Measurements(_observed(job, clips, hear(job, clips)), {})
    needs, store = job.request.needs, job.store
    heard_key, grams_key = store.keys.statistics(clips), store.keys.grams(clips, needs.curvature)
    heard, grams = store.read(heard_key), store.read(grams_key) if needs.grams else {}
    if heard is None or grams is None:
        observed = run_passes(job.prepared.program, observers(needs), job.dump("observe"))
        transcripts = _transcribed(job, clips, observed)
        heard, grams = (read_statistics(observed), transcripts), read_grams(observed)
        if needs.grams:
            store.write(grams_key, grams)
        store.write(heard_key, heard)
    statistics, said = heard
    return Measurements(_observed(job, clips, said), statistics, grams)


def _observed(job: MeasureJob, clips: ClipSet, said: tuple[Transcript, ...]) -> Observed:
    return Observed(clips, said, Context.of(job.prepared.silence, USUAL_MARGIN))


def hear(job: MeasureJob, clips: ClipSet, stage: str = OBSERVE) -> tuple[Transcript, ...]:
    """What the full-precision model writes for the clips, and nothing else.

    Args:
        job: Model and store.
        clips: At least one.
        stage: What the progress is told.
    """
    key = job.store.keys.transcripts(clips.clips)
    return job.store.get(key, lambda: _transcribed(job, clips, job.prepared.program, stage))


def _transcribed(job: MeasureJob, clips: ClipSet, program: Program, stage: str = OBSERVE) -> tuple[Transcript, ...]:
    runtime = torch_runtime(job.prepared.speech, program, job.request.no_speech)
    transcripts: list[Transcript] = []
    samples = [clip.samples for clip in clips.clips]
    with job.progress.stage(stage, len(samples)) as advance:
        for start in range(0, len(samples), job.limits.batch):
            with job.progress.part(MODEL_PASSES):
                part = samples[start : start + job.limits.batch]
                transcripts += runtime.transcribe_batch(part, job.request.language)
            advance(len(transcripts) - start)
    return tuple(transcripts)
