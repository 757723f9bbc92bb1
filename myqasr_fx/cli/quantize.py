"""``myqasr quantize``."""

from __future__ import annotations

import gc
from dataclasses import asdict
from pathlib import Path

from rich.console import Group

from myqasr_fx.bundle.verdict_record import AcceptanceRecord
from myqasr_fx.cli import options as o
from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.daily_help import HelpAll
from myqasr_fx.cli.delta_view import delta_told
from myqasr_fx.cli.heard_view import heard_view
from myqasr_fx.cli.inputs import check_inputs
from myqasr_fx.cli.next_steps import after_quantize
from myqasr_fx.cli.plan_view import plan_view
from myqasr_fx.cli.size import asked_config
from myqasr_fx.cli.views import bundle_data, summary
from myqasr_fx.errors import OptionError
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.usual_time import usual_seconds
from myqasr_fx.process.collector import collector_off
from myqasr_fx.process.progress import RichProgress

REJECTED_EXIT = 3
"""The bundle is there, but the verdict is that it hears too differently from full precision."""


def quantize(
    model: o.Model,
    more_audio: o.MoreAudio = None,
    *,
    audio: o.Audio = None,
    budget: o.Size = None,
    out: o.Out = None,
    force: o.Force = False,
    effort: o.Effort = None,
    language: o.Language = None,
    dry_run: o.DryRun = False,
    delta: o.Delta = None,
    avg_bits: o.AvgBits = None,
    uniform_bits: o.UniformBits = None,
    budget_kind: o.BudgetKind = None,
    min_bits: o.MinBits = None,
    max_bits: o.MaxBits = None,
    fill: o.Fill = None,
    max_spread: o.MaxSpread = None,
    sensitivity: o.Sensitivity = None,
    allocation: o.Allocation = None,
    order: o.Order = None,
    calibration: o.Calibration = None,
    rounding: o.Rounding = None,
    sequential: o.Sequential = None,
    granularity: o.Granularity = None,
    conv_granularity: o.ConvGranularity = None,
    symmetric: o.Symmetric = None,
    number_format: o.NumberFormat = None,
    activations: o.Activations = None,
    optimize: o.Optimize = None,
    recipe: o.Recipe = None,
    rules: o.Rules = None,
    keep: o.Keep = None,
    opset: o.Opset = None,
    layout: o.Layout = None,
    explain: o.Explain = False,
    no_speech_threshold: o.NoSpeechThreshold = None,
    vad_threshold: o.VadThreshold = None,
    context: o.Context = None,
    adapt: o.Adapt = None,
    max_clips: o.MaxClips = None,
    seed: o.Seed = None,
    cache: o.Cache = None,
    dump_ir: o.DumpIr = None,
    holdout: o.HoldOut = None,
    min_agreement: o.MinAgreement = None,
    max_kl: o.MaxKl = None,
    max_deletions: o.MaxDeletions = None,
    max_insertions: o.MaxInsertions = None,
    max_loops: o.MaxLoops = None,
    max_blanks: o.MaxBlanks = None,
    private: o.Private = None,
    embed_audio: o.EmbedAudio = None,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
    help_all: HelpAll = False,
) -> Answer:
    """Quantize a model to a budget, for the speech in your recordings."""
    recordings = [*(audio or ()), *(more_audio or ())]
    if not explain:
        check_inputs(model, recordings, None if dry_run else out, cache, force)
    config = asked_config(
        model if recordings and not explain else None,
        budget,
        "--avg-bits, --uniform-bits",
        recipe=recipe,
        effort=effort,
        rules=rules,
        keep=keep or (),
        avg_bits=avg_bits,
        uniform_bits=uniform_bits,
        budget_kind=budget_kind,
        min_bits=min_bits,
        max_bits=max_bits,
        fill=fill,
        max_spread=max_spread,
        sensitivity=sensitivity,
        allocation=allocation,
        order=order,
        calibration=calibration,
        rounding=rounding,
        sequential=sequential,
        granularity=granularity,
        conv_granularity=conv_granularity,
        symmetric=symmetric,
        format=number_format,
        activations=activations,
        optimize=optimize,
        opset=opset,
        layout=layout,
        language=language,
        no_speech_threshold=no_speech_threshold,
        vad_threshold=vad_threshold,
        context=context,
        adapt=adapt,
        max_clips=max_clips,
        seed=seed,
        cache=cache,
        dump_ir=dump_ir,
        holdout=holdout,
        min_agreement=min_agreement,
        max_kl=max_kl,
        max_deletions=max_deletions,
        max_insertions=max_insertions,
        max_loops=max_loops,
        max_blanks=max_blanks,
        private=private,
        embed_audio=embed_audio,
        delta=delta,
    )
    if explain:
        return _explain(config)
    if not recordings:
        raise OptionError("no recordings", hint="give --audio FILE_OR_FOLDER; 5 minutes of your speech serve well")
    if dry_run and delta is not None:
        raise OptionError("--dry-run with --delta: the widths are those of the base", hint=f"myqasr inspect {delta}")
    if dry_run:
        return _plan(model, recordings, config)
    if out is None:
        raise OptionError("no folder to write to", hint="give --out DIR, or --dry-run to write nothing")
    with collector_off():
        from myqasr_fx import pipeline
    gc.freeze()  # what is imported stays, and need not be looked through again

    progress = RichProgress(usual_seconds(config))
    bundle = pipeline.quantize(model, recordings, out=out, config=config, force=force, progress=progress)
    told = [] if delta is None else [delta_told(bundle)]
    view = Group(summary(bundle), *told, heard_view(bundle.path), after_quantize(bundle.path))
    return Answer(bundle_data(bundle), view, exit_code(bundle.manifest.acceptance))


def _explain(config: QuantizeConfig) -> Answer:
    from myqasr_fx.cli.road_view import road_view
    from myqasr_fx.fit.stages import stages

    found = stages(config)
    return Answer({"stages": [asdict(stage) for stage in found]}, road_view(found))


def _plan(model: str, recordings: list[Path], config: QuantizeConfig) -> Answer:
    from myqasr_fx import pipeline

    planned = pipeline.plan(model, recordings, config=config, progress=RichProgress())
    return Answer(asdict(planned), plan_view(planned))


def exit_code(verdict: AcceptanceRecord | None) -> int:
    """What the command ends with: an uncertain verdict is no bad news."""
    return REJECTED_EXIT if verdict is not None and verdict.rejected else 0
