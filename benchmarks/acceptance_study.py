r"""How well the verdict without labels predicts what a quantized model really loses.

    python benchmarks/acceptance_study.py --data ../shared/data/speech/manifest.jsonl

Every model of ``VARIANTS`` is calibrated on clips of ``splits.json``'s calibration set and fake-quantized in torch. On
two sides, of different speakers, it is compared with full precision on unlabelled clips that it was not calibrated on,
as ``quantize`` does, and its word error rate is taken on other, labelled recordings. Bounds are chosen on ``dev`` and
scored on ``test``. A run that was stopped goes on with the next model.

Writes ``OUT/acceptance_study.csv``, ``…_utterances.csv``, ``….md`` and ``….png``.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from acceptance_noise import reliability, sentence
from acceptance_outcomes import (
    FULL,
    SIDES,
    TEST,
    Errors,
    Outcome,
    Variant,
    read_errors,
    read_outcomes,
    write_errors,
    write_outcomes,
)
from acceptance_speech import Speech
from acceptance_tables import plot, summary
from average_bits import average_bits

from myqasr_fx.acceptance.advice import Run
from myqasr_fx.acceptance.compare import Heard, compare
from myqasr_fx.acceptance.judge import Judged, judge
from myqasr_fx.acceptance.loops import is_loop
from myqasr_fx.audio import ClipSet
from myqasr_fx.evaluate import evaluate, normalize
from myqasr_fx.measure.measure import measure
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import prepare
from myqasr_fx.options.thresholds import Thresholds
from myqasr_fx.personalize.condition import Condition
from myqasr_fx.personalize.features import FeatureCache
from myqasr_fx.pipeline import Road, measuring, quantize_in_torch
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Silent
from myqasr_fx.runtime import Runtime, WhisperRuntime
from myqasr_fx.runtime.once import Once
from myqasr_fx.runtime.torch_runner import torch_runtime
from myqasr_fx.verify.fake_quant import runnable_in_torch
from passes.base import Program

TINY, BASE = "whisper-tiny.en", "whisper-base"
VARIANTS = (
    Variant(TINY, "paper-file", "24MB"),
    Variant(TINY, "paper-file", "22MB"),
    Variant(TINY, "paper-file", "20MB"),
    Variant(TINY, "paper-file:rounding=gptq", "20MB"),
    Variant(TINY, "paper-file:rounding=gptq", "18MB"),
    Variant(TINY, "paper-file:order=ascending", "26MB"),
    Variant(TINY, "paper-file:order=ascending", "24MB"),
    Variant(TINY, "paper-file:symmetric=true", "24MB"),
    Variant(TINY, "paper-file:granularity=channel", "26MB"),
    Variant(TINY, "paper-file:granularity=group:32", "22MB"),
    Variant(TINY, "paper-file", "22MB", clips=4),
    Variant(TINY, "paper-file", "bits=4"),
    Variant(TINY, "paper-file", "18MB"),
    Variant(TINY, "paper-file", "28MB"),
    Variant(BASE, "paper-file:language=en", "42MB"),
    Variant(BASE, "paper-file:language=en", "38MB"),
    Variant(BASE, "paper-file:language=en", "35MB"),
    Variant(BASE, "paper-file:language=en,rounding=gptq", "35MB"),
    Variant(BASE, "paper-file:language=en,order=ascending", "44MB"),
    Variant(BASE, "paper-file:language=en,order=ascending", "40MB"),
    Variant(BASE, "paper-file:language=en,symmetric=true", "42MB"),
    Variant(BASE, "paper-file:language=en,granularity=channel", "46MB"),
    Variant(BASE, "paper-file:language=en", "40MB", clips=4),
    Variant(BASE, "paper-file:language=en", "bits=4"),
    Variant(BASE, "paper-file:language=en,granularity=group:32", "38MB"),
    Variant(BASE, "paper-file:language=en", "31MB"),
    Variant(BASE, "paper-file:language=en", "48MB"),
)
NAME = "acceptance_study"

NO_RUN = Run(hardest=True, model_bytes=1, num_weights=1, holdout=0.25, max_clips=32, enough=8)
"""No advice is read here."""


class Known:
    """The full-precision model's logits, computed once a clip.

    Args:
        runtime: The model.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._logits = runtime, dict[bytes, np.ndarray]()

    def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        """See :class:`~myqasr_fx.runtime.Runtime`."""
        key = hashlib.sha256(samples.tobytes()).digest()
        if key not in self._logits:
            self._logits[key] = self._runtime.logits(samples, tokens, language)
        return self._logits[key]


class Bench:
    """Makes and measures models that start from one.

    Args:
        model: Built-in name.
        speech: Recordings.
        cache: Folder for statistics.
    """

    def __init__(self, model: str, speech: Speech, cache: Path) -> None:
        self._prepared, self._speech, self._cache = prepare(load_model(model)), speech, cache
        self._features = FeatureCache(self._prepared.speech.features)
        self._full = self._runtime(self._prepared.program.clone())
        self._known = Known(self._full)
        self._heard: dict[str, tuple[Heard, ...]] = {}

    def full_precision(self, side: str) -> list[Errors]:
        """The word errors of the model that all are compared with."""
        return self._errors(self._full, side)

    def make(self, variant: Variant, full: Mapping[str, Sequence[Errors]]) -> dict[str, tuple[Outcome, list[Errors]]]:
        """Makes a model and gives its outcome and its word errors on every side."""
        config = Condition(variant.recipe, variant.budget).config(0, self._cache)
        clips = ClipSet(self._speech.calibration.clips[: variant.clips])
        job = measuring(self._prepared, clips, Road(config, Silent(), Limits()))
        rounded = quantize_in_torch(job, measure(job), config)
        bits = average_bits(self._prepared, rounded)
        runtime, found = self._runtime(runnable_in_torch(rounded)), {}
        for name, side in self._speech.sides.items():
            comparisons = list(compare(self._known, runtime, self._hear(name), normalize))
            record = judge(comparisons, Judged(side.judged, held_out=True), Thresholds(), NO_RUN)
            errors = self._errors(runtime, name)
            found[name] = Outcome.of((variant, name, bits), record, errors, full[name]), errors
        return found

    def _hear(self, side: str) -> tuple[Heard, ...]:
        if side not in self._heard:
            clips, language = self._speech.sides[side].judged, self._language
            said = [self._full.transcribe_batch([clip.samples], language)[0] for clip in clips]
            self._heard[side] = tuple(map(Heard, clips, said))
        return self._heard[side]

    @property
    def _language(self) -> str | None:
        return "en" if self._full.settings.is_multilingual else None

    def _errors(self, runtime: Runtime, side: str) -> list[Errors]:
        rows = evaluate(runtime, self._speech.sides[side].labelled).rows
        return [Errors(r.audio, r.words.errors, r.words.total, int(is_loop(r.hypothesis))) for r in rows]

    def _runtime(self, program: Program) -> WhisperRuntime:
        runtime = torch_runtime(self._prepared.speech, program)
        assert isinstance(runtime, WhisperRuntime)
        return replace(runtime, features=self._features, encoder=Once(runtime.encoder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest of all sets")
    parser.add_argument("--models", nargs="*", choices=(TINY, BASE), default=[TINY, BASE])
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/myqasr-acceptance").expanduser())
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--tables", action="store_true", help="make no model: write the tables of those that are there")
    options = parser.parse_args()
    table, transcripts = options.out / f"{NAME}.csv", options.out / f"{NAME}_utterances.csv"
    for model in () if options.tables else options.models:
        done = {outcome.variant for outcome in read_outcomes(table)}
        if missing := [v for v in VARIANTS if v.model == model and v not in done]:
            run(Bench(model, Speech.read(options.data), options.cache), missing, (table, transcripts))
    outcomes = read_outcomes(table)
    wanted = [outcome for outcome in outcomes if outcome.side == TEST and outcome.in_range]
    noise = sentence(reliability(read_errors(transcripts), wanted))
    (options.out / f"{NAME}.md").write_text(f"{summary(outcomes)}\n{noise}\n", encoding="utf-8")
    plot(options.out / f"{NAME}.png", outcomes)


def run(bench: Bench, variants: Sequence[Variant], paths: tuple[Path, Path]) -> None:
    """Measures the models and writes after each."""
    table, transcripts = paths
    outcomes, errors = list(read_outcomes(table)), read_errors(transcripts)
    whole = Variant(variants[0].model, FULL, "", 0)
    for side in SIDES:
        if (whole, side) not in errors:
            errors[whole, side] = bench.full_precision(side)
    write_errors(transcripts, errors)
    for variant in variants:
        found = bench.make(variant, {side: errors[whole, side] for side in SIDES})
        outcomes += [outcome for outcome, _ in found.values()]
        errors |= {(variant, side): rows for side, (_, rows) in found.items()}
        write_errors(transcripts, errors)
        write_outcomes(table, outcomes)
        for side, (seen, _) in found.items():
            print(f"{variant} {side}: kl {seen.kl}, agreement {seen.agreement}, loss {seen.loss:+.2%}", flush=True)


if __name__ == "__main__":
    main()
