"""A model beside another one on the same utterances: errors, and what errors are too rare to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.evaluate.bootstrap import Interval
from myqasr_fx.evaluate.divergence import Divergence, check_alike, measure_divergence
from myqasr_fx.evaluate.evaluator import Evaluation, evaluate, paired_wer_difference, spoken_language, told_language
from myqasr_fx.evaluate.manifest import Utterance
from myqasr_fx.process.progress import Progress, Silent
from myqasr_fx.runtime.chunks import iter_chunks
from myqasr_fx.runtime.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a model is compared with, and how far it is from it.

    Args:
        evaluation: Score of the baseline.
        difference: WER of the model minus that of the baseline.
        difference_ci95: Its 95 % interval, utterances resampled in pairs.
        divergence: Of the model from the baseline, along the tokens that the baseline writes.
    """

    evaluation: Evaluation
    difference: float
    difference_ci95: Interval
    divergence: Divergence

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **self.evaluation.as_dict(),
            "wer_difference": self.difference,
            "wer_difference_ci95": [self.difference_ci95.low, self.difference_ci95.high],
            "kl": self.divergence.kl,
            "agreement": self.divergence.agreement,
            "positions": self.divergence.tokens,
        }


def check_comparable(candidate: Runtime, baseline: Runtime) -> None:
    """Refuses two models of other tokens or frames, by a second of silence, before anything is scored.

    Raises:
        EvaluationError: They differ in these.
    """
    silence = np.zeros(SAMPLING_RATE, np.float32)
    check_alike(*(runtime.logits(silence, ()) for runtime in (baseline, candidate)))


def beside(
    evaluation: Evaluation,
    candidate: Runtime,
    baseline: Runtime,
    utterances: Sequence[Utterance],
    *,
    language: str | None = None,
    progress: Progress | None = None,
) -> Baseline:
    """Scores ``baseline`` on the utterances of ``evaluation`` and compares the two.

    Args:
        evaluation: Score of ``candidate`` on ``utterances``.
        candidate: The model.
        baseline: What it is compared with, such as itself at full precision.
        utterances: What both transcribe.
        language: As for :func:`~myqasr_fx.evaluate.evaluate`.
        progress: Who is told how many utterances are done.

    Raises:
        EvaluationError: No utterance, no word in any reference, or other tokens than the candidate's.
        AudioError: A recording cannot be used.
    """
    theirs = evaluate(baseline, utterances, language=language, progress=progress, stage="evaluate the baseline")
    divergence = Divergence()
    with (progress or Silent()).stage("compare tokens", len(utterances)) as advance:
        for utterance in utterances:
            told = spoken_language(baseline, told_language(language, utterance))
            chunks = [chunk for chunk in iter_chunks(utterance.audio) if chunk.any()]
            divergence += measure_divergence(baseline, candidate, chunks, told)
            advance(1)
    return Baseline(theirs, evaluation.wer - theirs.wer, paired_wer_difference(evaluation, theirs), divergence)
