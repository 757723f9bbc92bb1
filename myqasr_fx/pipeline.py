"""The compiler's order of work, from a model, recordings and a budget to a verified bundle.

model ──capture──> graphs ──canonicalize──> observe on the clips ──> statistics
graphs + statistics + budget ──rank, allocate, calibrate, round──> quantized graphs
quantized graphs ──lower to QDQ──> ONNX files ──verify against fake quantization, judge on clips held out──> bundle
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from myqasr_fx.acceptance.assess import Assessed, Contenders, assess
from myqasr_fx.acceptance.holdout import Split, hold_out
from myqasr_fx.audio import AudioInput, select_clips
from myqasr_fx.bundle.bundle import BundleManifest, QuantizedBundle
from myqasr_fx.bundle.layout import LAYOUTS, Layout
from myqasr_fx.bundle.output_folder import output_folder
from myqasr_fx.fit.allocation import check_feasible
from myqasr_fx.fit.fit import Fitted, fit
from myqasr_fx.fit.manifest import build_manifest, low_bit_products
from myqasr_fx.measure.measure import measure
from myqasr_fx.measure.observe import Calibration
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import Prepared, prepare
from myqasr_fx.models.sherpa import write_tokens
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.process.progress import Progress, Silent
from myqasr_fx.report.details import layer_details
from myqasr_fx.report.record import ReportDetails
from myqasr_fx.report.write import write_bundle_report
from myqasr_fx.verify.fake_quant import make_reference
from myqasr_fx.verify.verify_files import Sample, Verified, verify
from passes.graph.layers import find_layers

RUN_FILE = "run.json"
"""Wall time of every stage and of the model's passes, peak memory; unlike ``myqasr.json`` it differs between runs."""


def quantize(
    model: str | SpeechModel,
    audio: AudioInput | Iterable[AudioInput],
    *,
    out: str | Path,
    config: QuantizeConfig,
    force: bool = False,
    progress: Progress | None = None,
) -> QuantizedBundle:
    """Compiles a model for one user's speech and a budget.

    Args:
        model: Name, folder or loaded model.
        audio: Files, folders or arrays (T,) float32 at 16 kHz of unlabelled speech.
        out: The bundle's folder, which appears whole or not at all.
        config: Resolved options.
        force: Replace an existing bundle.
        progress: Told about every stage.

    Raises:
        MyqasrError: Any input that cannot be used, an infeasible budget, or files that do not verify.
    """
    clock = Silent() if progress is None else progress
    config.check_exportable()
    with output_folder(Path(out), force=force) as folder:
        with clock.stage("load model"):
            speech = load_model(model) if isinstance(model, str) else model
        with clock.stage("read audio"):
            clips = select_clips(audio, config.max_clips, seed=config.seed)
        with clock.stage("capture graphs"):
            prepared = prepare(speech, config.dump_ir, LAYOUTS[config.layout])
            config.check_rules(tuple(layer.name for layer in prepared.layers if layer.weight))
            check_feasible(prepared, config)
        split = hold_out(clips, config.holdout, config.seed)
        calibration = measure(prepared, split.calibration, config, clock)
        full = prepared.program.clone()  # the next stage rounds what stays in float
        with clock.stage("allocate, round and export"):
            fitted = fit(prepared, calibration, config, folder, clock)
        with clock.stage("verify on onnxruntime"):
            verified = _verify(prepared, calibration, fitted, config)
        contenders = Contenders(speech, full, fitted.models, verified.session_options)
        assessed = assess(contenders, split, calibration, config, clock)
        manifest = build_manifest(prepared, config, split.calibration, fitted, verified)
        manifest = replace(manifest, acceptance=assessed.record)
        manifest.write(folder)
        _write_report(folder, manifest, fitted, assessed, split)
        _write_configs(speech, manifest, LAYOUTS[config.layout], folder)
        _write_run(folder, clock)
    return QuantizedBundle(Path(out), manifest)


def _verify(prepared: Prepared, calibration: Calibration, fitted: Fitted, config: QuantizeConfig) -> Verified:
    """Compares the files with the fake-quantized graphs on a few of the clips."""
    samples = [
        Sample(clip.samples, transcript.tokens, transcript.language)
        for clip, transcript in zip(calibration.clips.clips, calibration.transcripts, strict=True)
    ]
    reference = make_reference(fitted.program, config.dump_ir)
    return verify(fitted.models, prepared.speech, reference, samples, low_bit_products(fitted.program, prepared.layers))


def _write_configs(speech: SpeechModel, manifest: BundleManifest, layout: Layout, folder: Path) -> None:
    speech.save_configs(folder, layout.client_settings(file.name for file in manifest.files))
    if layout.fixed_cache:
        write_tokens(speech.tokenizer, folder)


def _write_report(folder: Path, manifest: BundleManifest, fitted: Fitted, assessed: Assessed, split: Split) -> None:
    comparisons = None if manifest.config["private"] else assessed.comparisons
    details = ReportDetails(layer_details(fitted.program, find_layers(fitted.program)), comparisons)
    write_bundle_report(folder, manifest, details, split.judged if manifest.config["embed_audio"] else ())


def _write_run(folder: Path, clock: Progress) -> None:
    run = {
        "seconds": {name: round(value, 3) for name, value in clock.seconds.items()},
        "parts": {name: round(value, 3) for name, value in clock.parts.items()},
        "peak_memory_bytes": _peak_memory_bytes(),
    }
    (folder / RUN_FILE).write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")


def _peak_memory_bytes() -> int:
    """Largest resident size of this process so far, what came before the run included."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
