"""Runs both models on the clips to judge on: the last stage of ``quantize``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from myqasr_fx.acceptance.compare import compare_clip, forced, written
from myqasr_fx.acceptance.hear import hear
from myqasr_fx.acceptance.judge import Judged, judge
from myqasr_fx.acceptance.kept_logits import KeptLogits
from myqasr_fx.acceptance.short_context import ShortContexts
from myqasr_fx.acceptance.trial import Trial
from myqasr_fx.bundle.comparison import ClipComparison
from myqasr_fx.bundle.context_record import ContextRecord
from myqasr_fx.bundle.verdict_record import AcceptanceRecord
from myqasr_fx.evaluate.wer import Normalizer, normalize, normalize_plain
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.process.freed_memory import give_back
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Progress
from myqasr_fx.runtime import Runtime, WhisperRuntime
from myqasr_fx.runtime.no_speech import USUAL, NoSpeechRule
from myqasr_fx.runtime.once import Once
from myqasr_fx.runtime.runtime import GraphRunner
from myqasr_fx.runtime.torch_runner import runtime_of, torch_runtime
from passes.base import Program


@dataclass(frozen=True, slots=True, eq=False)
class Contenders:
    """The two models to compare.

    Args:
        speech: Features, tokenizer and prompt of both.
        full: Full-precision graphs.
        runners: Graph name to the session that the bundle's users have.
        no_speech: When either of them drops a text.
        silence: Frames of silence that one stands for in the graphs of both.
    """

    speech: SpeechModel
    full: Program
    runners: Mapping[str, GraphRunner]
    no_speech: NoSpeechRule = USUAL
    silence: int | None = None

    def reference(self) -> Runtime:
        """The full-precision model in torch."""
        return torch_runtime(self.speech, self.full, self.no_speech)

    def candidate(self) -> Runtime:
        """The quantized model on onnxruntime, as the bundle's users run it."""
        runners = {name: Once(runner) for name, runner in self.runners.items()}
        return runtime_of(self.speech, runners, 0, self.no_speech)

    @property
    def normalizer(self) -> Normalizer:
        """Of texts before their words are compared."""
        return normalize if self.speech.generation is not None else normalize_plain


@dataclass(frozen=True, slots=True)
class Assessed:
    """The verdict and what it rests on.

    Args:
        record: The verdict.
        comparisons: One a clip, with the texts of both models.
        context: How little silence behind a clip does as well; None where it was not asked.
    """

    record: AcceptanceRecord
    comparisons: tuple[ClipComparison, ...]
    context: ContextRecord | None = None


def assess(contenders: Contenders, trial: Trial, progress: Progress, limits: Limits) -> Assessed:
    """Compares both models on the clips to judge on, and judges.

    Args:
        contenders: The two models.
        trial: Clips and bounds.
        progress: Told about every clip.
        limits: Clips decoded together, logits kept.
    """
    give_back()  # what verification took
    normalizer, candidate = contenders.normalizer, contenders.candidate()
    shorter = None
    if trial.short_context and isinstance(candidate, WhisperRuntime):
        shorter = ShortContexts(candidate, contenders.silence)
    reference = contenders.reference()
    if trial.shares.held_out and trial.store.folder is not None:
        reference = KeptLogits(reference, trial.store, limits.kept_logits_bytes)
    comparisons = []
    with progress.stage("judge without labels", len(trial.shares.judge)) as advance:
        for item in hear(reference, trial, limits.batch):
            expected = forced(reference, item)
            contenders.speech.set_aside()  # the candidate needs room, too
            comparisons.append(compare_clip(item, expected, candidate, written(candidate, item), normalizer))
            if shorter:
                shorter.hear(item, expected, normalizer)
            advance(1)
    judged = Judged.of(trial.shares, limits.held_out_from)
    record = judge(comparisons, judged, trial.thresholds, trial.run)
    context = shorter.record(record, judged, trial.thresholds, trial.run) if shorter else None
    return Assessed(record, tuple(comparisons), context)
