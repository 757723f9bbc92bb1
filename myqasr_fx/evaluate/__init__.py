"""Scores a runtime on a manifest: word and character error rates, intervals, divergence from full precision."""

from myqasr_fx.evaluate.baseline import Baseline, beside, check_comparable
from myqasr_fx.evaluate.bootstrap import Interval, difference_interval, rate_interval
from myqasr_fx.evaluate.divergence import Divergence, measure_divergence
from myqasr_fx.evaluate.evaluator import (
    Evaluation,
    ScoredUtterance,
    default_normalizer,
    evaluate,
    paired_wer_difference,
)
from myqasr_fx.evaluate.manifest import Utterance, parse_filters, read_manifest
from myqasr_fx.evaluate.recordings import check_recordings
from myqasr_fx.evaluate.wer import (
    ErrorCount,
    Normalizer,
    character_errors,
    normalize,
    normalize_plain,
    without_diacritics,
    word_errors,
)

__all__ = [
    "Baseline",
    "Divergence",
    "ErrorCount",
    "Evaluation",
    "Interval",
    "Normalizer",
    "ScoredUtterance",
    "Utterance",
    "beside",
    "character_errors",
    "check_comparable",
    "check_recordings",
    "default_normalizer",
    "difference_interval",
    "evaluate",
    "measure_divergence",
    "normalize",
    "normalize_plain",
    "paired_wer_difference",
    "parse_filters",
    "rate_interval",
    "read_manifest",
    "without_diacritics",
    "word_errors",
]
