"""Runs both models on the clips to judge on: the last stage of ``quantize``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from myqasr_fx.acceptance.compare import ClipComparison, compare
from myqasr_fx.acceptance.hear import hear
from myqasr_fx.acceptance.holdout import Split
from myqasr_fx.acceptance.judge import judge
from myqasr_fx.acceptance.kept_logits import KeptLogits
from myqasr_fx.bundle.verdict_record import AcceptanceRecord
from myqasr_fx.evaluate.wer import normalize, normalize_plain
from myqasr_fx.measure.observe import Calibration
from myqasr_fx.measure.statistics_cache import logits_file, transcripts_file
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.process.progress import Progress
from myqasr_fx.runtime import OrtSettings, Runtime
from myqasr_fx.runtime.once import Once
from myqasr_fx.runtime.ort_runner import OrtRunner
from myqasr_fx.runtime.torch_runner import runtime_of, torch_runtime
from passes.base import Program


@dataclass(frozen=True, slots=True, eq=False)
class Contenders:
    """The two models to compare.

    Args:
        speech: Features, tokenizer and prompt of both.
        full: Full-precision graphs.
        models: Graph name to its file.
        session_options: Entries of the bundle's sessions.
    """

    speech: SpeechModel
    full: Program
    models: Mapping[str, Path]
    session_options: Mapping[str, str]

    def reference(self) -> Runtime:
        """The full-precision model in torch."""
        return torch_runtime(self.speech, self.full)

    def candidate(self) -> Runtime:
        """The quantized model on onnxruntime, as the bundle's users run it."""
        settings = OrtSettings(entries=self.session_options)
        runners = {name: Once(OrtRunner(path, settings)) for name, path in self.models.items()}
        return runtime_of(self.speech, runners, model_bytes=0)


@dataclass(frozen=True, slots=True)
class Assessed:
    """The verdict and what it rests on.

    Args:
        record: The verdict.
        comparisons: One a clip, with the texts of both models.
    """

    record: AcceptanceRecord
    comparisons: tuple[ClipComparison, ...]


def assess(
    contenders: Contenders, split: Split, calibration: Calibration, config: QuantizeConfig, progress: Progress
) -> Assessed:
    """Compares both models on the clips of ``split.judged`` and judges.

    Args:
        contenders: The two models.
        split: Which clips were held out.
        calibration: Holds transcripts that need no second decoding.
        config: For the bounds, the language and the cache.
        progress: Told about every clip.
    """
    cached = config.cache and transcripts_file(config.cache, contenders.speech, split.judged, config.language)
    reference = _reference(contenders, config, split)
    normalizer = normalize if contenders.speech.generation is not None else normalize_plain
    comparisons = []
    with progress.stage("judge without labels", len(split.judged)) as advance:
        heard = hear(reference, split, calibration, cached, config.language)
        for comparison in compare(reference, contenders.candidate(), heard, normalizer):
            comparisons.append(comparison)
            advance(1)
    return Assessed(judge(comparisons, split, config.acceptance), tuple(comparisons))


def _reference(contenders: Contenders, config: QuantizeConfig, split: Split) -> Runtime:
    """The full-precision model, its logits of held-out clips kept where there is a cache.

    Graphs that are not the model's own as captured depend on more than the model: theirs are not kept.
    """
    reference, folder = contenders.reference(), config.cache
    if folder is None or not split.held_out:
        return reference
    return KeptLogits(reference, lambda key: logits_file(folder, contenders.speech, (config.layout, *key)))
