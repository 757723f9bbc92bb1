"""Runs both models on the clips to judge on: the last stage of ``quantize``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from myqasr_fx.acceptance.compare import Heard, compare_clip, forced, written
from myqasr_fx.acceptance.hear import hear
from myqasr_fx.acceptance.judge import Judged, judge
from myqasr_fx.acceptance.kept_logits import KeptLogits
from myqasr_fx.acceptance.short_context import MARGINS, ShortContexts
from myqasr_fx.acceptance.trial import Trial
from myqasr_fx.bundle.comparison import ClipComparison
from myqasr_fx.bundle.context_record import ContextRecord
from myqasr_fx.bundle.verdict_record import AcceptanceRecord
from myqasr_fx.evaluate.wer import Normalizer, normalize, normalize_plain
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.process.freed_memory import give_back
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.mapped_tensors import mapped_array
from myqasr_fx.process.progress import Progress
from myqasr_fx.runtime import Runtime, WhisperRuntime
from myqasr_fx.runtime.no_speech import USUAL, NoSpeechRule
from myqasr_fx.runtime.once import encoders_once
from myqasr_fx.runtime.opened import Opened
from myqasr_fx.runtime.runtime import GraphRunner
from myqasr_fx.runtime.torch_runner import runtime_of, torch_runtime
from passes.base import Program

_REMEMBERED = 1 << 29
"""Bytes of encoder states that wait for the full-precision model to hear their clips again."""


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

    def reference(self, *, twice: bool) -> Runtime:
        """The full-precision model in torch.

        Args:
            twice: It hears each clip twice: encoder states are remembered, as far as there is room.
        """
        return torch_runtime(self.speech, self.full, self.no_speech, None, _REMEMBERED if twice else 0)

    def candidate(self, clips: int = 1) -> Runtime:
        """The quantized model on onnxruntime, as the bundle's users run it.

        Args:
            clips: Whose encoder states are remembered, where graphs are open one at a time.
        """
        once = (clips * (1 + len(MARGINS)), mapped_array) if self.one_at_a_time else ()
        return runtime_of(self.speech, encoders_once(self.runners, *once), 0, self.no_speech)

    @property
    def one_at_a_time(self) -> bool:
        """No two graphs of the quantized model shall be open at once, nor one while the other model hears."""
        return any(isinstance(runner, Opened) for runner in self.runners.values())

    def close(self) -> None:
        """Closes graphs that are open one at a time, until they are run again."""
        for runner in self.runners.values():
            if isinstance(runner, Opened):
                runner.close()

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
    contenders.close()
    give_back()  # what verification took
    normalizer, candidate = contenders.normalizer, contenders.candidate(len(trial.shares.judge))
    shorter = None
    if trial.short_context and isinstance(candidate, WhisperRuntime):
        shorter = ShortContexts(candidate, contenders.silence)
    reference = contenders.reference(twice=trial.shares.held_out)
    if trial.shares.held_out and trial.store.folder is not None:
        reference = KeptLogits(reference, trial.store, limits.kept_logits_bytes)
    comparisons = []
    with progress.stage("judge without labels", len(trial.shares.judge)) as advance:
        heard = hear(reference, trial, limits.batch)
        contenders.speech.set_aside()
        said: Iterable[np.ndarray] = (forced(reference, item) for item in heard)
        if contenders.one_at_a_time:
            said = _in_files(said, contenders)
            _encode(candidate, heard, shorter)
            contenders.close()
        for item, expected in zip(heard, said, strict=True):
            contenders.speech.set_aside()  # the candidate needs room, too
            comparisons.append(compare_clip(item, expected, candidate, written(candidate, item), normalizer))
            if shorter:
                shorter.hear(item, expected, normalizer)
            advance(1)
    contenders.close()
    judged = Judged.of(trial.shares, limits.held_out_from)
    record = judge(comparisons, judged, trial.thresholds, trial.run)
    context = shorter.record(record, judged, trial.thresholds, trial.run) if shorter else None
    return Assessed(record, tuple(comparisons), context)


def _in_files(said: Iterable[np.ndarray], contenders: Contenders) -> list[np.ndarray]:
    """What full precision says of all clips, before any graph of the other model is open."""
    found = []
    for logits in said:
        found.append(mapped_array(logits))
        contenders.speech.set_aside()
    return found


def _encode(candidate: Runtime, heard: Sequence[Heard], shorter: ShortContexts | None) -> None:
    """Runs the encoder on all clips, which it remembers: the decoder need not be open beside it."""
    if isinstance(candidate, WhisperRuntime):
        for item in heard:
            candidate.encoded(item.clip.samples)
            if shorter:
                shorter.encode(item)
