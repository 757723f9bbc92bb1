"""The whole compiler: one road of stages, each of which leaves what it was given as it is.

resolve ─> prepare ─> measure ─> price ─> allocate ─> round ─> lower ─> write ─> verify ─> judge
                                            └───── until the files meet the budget ─────┘

``plan`` stops behind allocate, ``quantize_in_torch`` behind round. Every method declares what it needs; ``measure``
collects the union of that once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from myqasr_fx.acceptance.advice import Run
from myqasr_fx.acceptance.assess import Contenders, assess
from myqasr_fx.acceptance.short_context import check_context
from myqasr_fx.acceptance.trial import Trial
from myqasr_fx.adapt.adapt import adapt, check_enough
from myqasr_fx.audio import AudioInput, ClipSet, found_inputs, select_clips
from myqasr_fx.bundle.adaptation_record import SELF
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.context_record import SPEECH
from myqasr_fx.bundle.output_folder import output_folder
from myqasr_fx.bundle.places import settled
from myqasr_fx.bundle.run_record import write_run
from myqasr_fx.delta.make import write_delta
from myqasr_fx.fit.allocation import check_feasible
from myqasr_fx.fit.base import Base, read_base
from myqasr_fx.fit.codes_alone import check_codes_alone
from myqasr_fx.fit.fit import Fitted, fit, rounded
from myqasr_fx.fit.frozen import fit_to_base
from myqasr_fx.fit.job import FitJob, priced
from myqasr_fx.fit.manifest import build_manifest
from myqasr_fx.fit.plan import Plan, make_plan
from myqasr_fx.fit.request import FitRequest, captured, fit_request
from myqasr_fx.fit.stages import decided_by_clips, stages
from myqasr_fx.fit.verified import verified as verify
from myqasr_fx.measure.clip_shares import share_clips
from myqasr_fx.measure.job import MeasureJob, MeasureRequest
from myqasr_fx.measure.measure import measure
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.measure.speech import no_speech_rule
from myqasr_fx.measure.store import Keys, Store
from myqasr_fx.models.client_files import write_client_files
from myqasr_fx.models.learned import write_learned
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import Prepared, with_learned
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.more import counted_bytes, looked_longest, unused_bytes
from myqasr_fx.options.needs import needs_of
from myqasr_fx.process.graph_sources import sources_forgotten
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Progress, Silent
from myqasr_fx.report.details import layer_details
from myqasr_fx.report.record import ReportDetails
from myqasr_fx.report.write import write_bundle_report
from passes.base import Program
from passes.needs import NOTHING
from passes.numbers.scheme import Granularity

Recordings = AudioInput | Iterable[AudioInput]
"""Files, folders or arrays (T,) float32 at 16 kHz of unlabelled speech."""


@dataclass(frozen=True, slots=True)
class Road:
    """What all stages of a run share.

    Args:
        config: Resolved options.
        progress: Told about every stage.
        limits: Bounds of the work.
    """

    config: QuantizeConfig
    progress: Progress
    limits: Limits


def quantize(
    model: str | SpeechModel | Prepared,
    audio: Recordings,
    *,
    out: str | Path,
    config: QuantizeConfig,
    force: bool = False,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> QuantizedBundle:
    """Compiles a model for one user's speech and a budget.

    Args:
        model: Name, folder or loaded model, or its graphs as the layout has them.
        audio: The user's recordings.
        out: The bundle's folder, which appears whole or not at all.
        config: Resolved options.
        force: Replace an existing bundle.
        progress: Told about every stage.
        limits: Bounds of the work; the usual ones when None.

    Raises:
        MyqasrError: Any input that cannot be used, an infeasible budget, or files that do not verify.
    """
    road = Road(config, progress or Silent(), limits or Limits())
    config.check_exportable()
    with output_folder(out := settled(out, config.folders), force=force) as folder, sources_forgotten():
        learning, request, config = _prepare(model, audio, road)
        base = read_base(learning.prepared, config.delta, out) if config.delta else None
        job = price(learning, request, measure(learning), base)
        with road.progress.stage("allocate, round and export"):
            fitted, job = fit_to_base(job, base, folder) if base else fit(job, folder), job.fitted()
        with road.progress.stage("verify on onnxruntime"):
            verified = verify(job, fitted)
        full, prepared = learning.prepared.program, job.prepared  # full as captured: the job's has rounded leftovers
        contenders = Contenders(prepared.speech, full, verified.runners, learning.request.no_speech, prepared.silence)
        assessed = assess(contenders, _trial(learning, job, fitted, road), road.progress, road.limits)
        manifest = build_manifest(prepared, config.as_dict(), job.measurements.observed.clips, fitted, verified)
        calibration = replace(manifest.calibration, decides=decided_by_clips(config))
        manifest = replace(manifest, calibration=calibration, acceptance=assessed.record, context=assessed.context)
        manifest.write(folder)
        heard = None if config.private else assessed.comparisons
        details = ReportDetails(layer_details(fitted.program, prepared.layers), heard)
        write_bundle_report(folder, manifest, details, job.shares.judge if config.embed_audio else ())
        write_client_files(prepared.speech, request.layout, (file.name for file in manifest.files), folder)
        write_learned(prepared.learned, folder)
        if base and fitted.gain:
            write_delta(base.bundle, folder, fitted.gain)
        write_run(folder, road.progress)
    return QuantizedBundle(out, manifest)


def plan(
    model: str | SpeechModel, audio: Recordings, *, config: QuantizeConfig, progress: Progress | None = None
) -> Plan:
    """What :func:`quantize` would do: goes the same road and stops behind the allocation.

    Args:
        model: Name, folder or loaded model.
        audio: The user's recordings.
        config: Resolved options.
        progress: Told about every stage.

    Raises:
        MyqasrError: Any input that cannot be used, or an infeasible budget.
    """
    road = Road(config, progress or Silent(), Limits())
    config.check_exportable()
    learning, request, config = _prepare(model, audio, road)
    job = price(learning, request, measure(learning))
    with road.progress.stage("allocate"):
        return make_plan(job, stages(config, job.shares))


def for_model(config: QuantizeConfig, speech: SpeechModel) -> QuantizeConfig:
    """The options as one model takes them: a language under its own code.

    Raises:
        ModelError: The model does not know the language.
        OptionError: It knows no contexts.
    """
    check_context(config.context, speech)
    return replace(config, language=speech.language_code(config.language))


def measuring(prepared: Prepared, clips: ClipSet, road: Road) -> MeasureJob:
    """The first two stages for a model and clips at hand: what is to be learned of which clips."""
    config, rule = road.config, no_speech_rule(road.config.no_speech_threshold, road.config.vad_threshold)
    language = prepared.speech.told(config.language)
    request = MeasureRequest(
        needs=needs_of(config) if config.delta is None else NOTHING,
        statistics=config.delta is None,
        granularity=Granularity.parse(config.granularity),
        symmetric=config.symmetric,
        rounding=config.rounding,
        language=language,
        no_speech=rule,
        seed=config.seed,
        dump_ir=config.dump_ir,
    )
    learned = prepared.learned and prepared.learned.digest
    graphs = " ".join(map(str, filter(None, (config.layout, prepared.silence, learned))))
    store = Store(config.cache, Keys(prepared.speech.identity(), language, graphs, rule), config.private)
    shares = share_clips(clips, config.holdout, config.seed, road.limits)
    return MeasureJob(prepared, shares, request, store, road.progress, road.limits)


def quantize_in_torch(job: MeasureJob, measurements: Measurements, config: QuantizeConfig) -> Program:
    """Graphs with schemes, quantized weights and activation qparams; every width of 32 is there, nothing is written.

    Args:
        job: That ``measurements`` were made for.
        measurements: Of the clips.
        config: Resolved options; those of ``measurements``, but for the budget.

    Raises:
        BudgetError: The budget is infeasible.
    """
    return rounded(price(job, fit_request(job.prepared, config), measurements))[0]


def price(job: MeasureJob, request: FitRequest, measurements: Measurements, base: Base | None = None) -> FitJob:
    """Ranks what was measured, and prices every choice where the allocation weighs that and no base has chosen."""
    shares = job.shares.of(measurements.observed.clips, job.limits)
    fitting = FitJob(job.prepared, measurements, request, shares, store=job.store, seed=job.request.seed)
    fitting = replace(fitting, progress=job.progress, limits=job.limits)
    return priced(fitting) if base is None else replace(fitting, prepared=base.prepared)


def _prepare(
    model: str | SpeechModel | Prepared, audio: Recordings, road: Road
) -> tuple[MeasureJob, FitRequest, QuantizeConfig]:
    """What is to be learned and made, and the options for this model."""
    clock = road.progress
    recordings = found_inputs(audio)  # a path with a typo is told before a model is fetched
    if isinstance(model, str):
        check_codes_alone(model, road.config.budget, road.config.narrowest)
    with clock.stage("load model"):
        known = model.speech if isinstance(model, Prepared) else model
        speech = load_model(known, road.config.language) if isinstance(known, str) else known
        config = for_model(road.config, speech)
    with clock.stage("read audio"):
        clips = select_clips(recordings, config.max_clips, seed=config.seed)
        if config.adapt == SELF:
            check_enough(len(clips.clips), "clips")
    with clock.stage("capture graphs"):
        prepared = model if isinstance(model, Prepared) else captured(speech, config)
        request = fit_request(prepared, config)
        check_feasible(prepared, request)
    job = measuring(prepared, clips, road := replace(road, config=config))
    if config.adapt == SELF:
        job = measuring(with_learned(prepared, adapt(job)), clips, road)
    return job, request, config


def _trial(learning: MeasureJob, job: FitJob, fitted: Fitted, road: Road) -> Trial:
    """What to judge on, and what another run could do more of."""
    config, size, weights = road.config, (fitted.model_bytes, fitted.budget_bytes), job.prepared.num_weights
    run = Run(
        hardest=looked_longest(config),
        model_bytes=counted_bytes(config, *size, weights),
        num_weights=weights,
        holdout=config.holdout,
        max_clips=config.max_clips,
        enough=road.limits.held_out_from,
        integer_inputs=config.activations == "int8",
        sized=config.allocation != "linear",
        unused=unused_bytes(config, *size),
        frozen=config.delta is not None,
    )
    told = (config.acceptance, learning.request.language, learning.store, run, config.context == SPEECH)
    return Trial(job.shares, job.measurements.observed, *told)
