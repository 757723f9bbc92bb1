"""``myqasr quantize``."""

from __future__ import annotations

from myqasr_fx.cli import options as o
from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.views import bundle_data, summary
from myqasr_fx.progress import RichProgress
from myqasr_fx.resolve import resolve_config


def quantize(
    model: o.Model,
    more_audio: o.MoreAudio = None,
    *,
    audio: o.Audio,
    out: o.Out,
    force: o.Force = False,
    budget: o.Size = None,
    avg_bits: o.AvgBits = None,
    uniform_bits: o.UniformBits = None,
    budget_kind: o.BudgetKind = None,
    min_bits: o.MinBits = None,
    max_bits: o.MaxBits = None,
    fill: o.Fill = None,
    sensitivity: o.Sensitivity = None,
    allocation: o.Allocation = None,
    order: o.Order = None,
    calibration: o.Calibration = None,
    rounding: o.Rounding = None,
    granularity: o.Granularity = None,
    symmetric: o.Symmetric = None,
    activations: o.Activations = None,
    recipe: o.Recipe = None,
    rules: o.Rules = None,
    opset: o.Opset = None,
    layout: o.Layout = None,
    language: o.Language = None,
    max_clips: o.MaxClips = None,
    seed: o.Seed = None,
    cache: o.Cache = None,
    dump_ir: o.DumpIr = None,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> Answer:
    """Quantize a model to a budget, for the speech in your recordings."""
    config = resolve_config(
        budget,
        recipe=recipe,
        rules=rules,
        avg_bits=avg_bits,
        uniform_bits=uniform_bits,
        budget_kind=budget_kind,
        min_bits=min_bits,
        max_bits=max_bits,
        fill=fill,
        sensitivity=sensitivity,
        allocation=allocation,
        order=order,
        calibration=calibration,
        rounding=rounding,
        granularity=granularity,
        symmetric=symmetric,
        activations=activations,
        opset=opset,
        layout=layout,
        language=language,
        max_clips=max_clips,
        seed=seed,
        cache=cache,
        dump_ir=dump_ir,
    )
    from myqasr_fx import pipeline

    recordings = [*audio, *(more_audio or ())]
    bundle = pipeline.quantize(model, recordings, out=out, config=config, force=force, progress=RichProgress())
    return Answer(bundle_data(bundle), summary(bundle))
