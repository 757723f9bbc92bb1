"""Measures what the chosen sensitivity metric looks at beyond the activations that every run observes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from myqasr_fx.measure.forced_run import ForcedClip, ForcedRun, forced_clip
from myqasr_fx.measure.gradients import gradient_statistics
from myqasr_fx.measure.layer_alone import Alone, DistanceJob, measure_distances
from myqasr_fx.measure.measured_cache import MeasuredCache
from myqasr_fx.measure.observe import Calibration
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.process.progress import Progress
from passes.numbers.scheme import Granularity, WeightSpec
from passes.observe.activation_stats import GRADIENT, OUTPUT, Statistics
from passes.sensitivity import metric_of, width_of


def measure_sensitivity(
    prepared: Prepared, calibration: Calibration, config: QuantizeConfig, progress: Progress
) -> Calibration:
    """``calibration`` with statistics of the role that ``config.sensitivity`` looks at.

    Args:
        prepared: Canonical graphs.
        calibration: Clips and what the full-precision model writes for them.
        config: For the metric, the granularity of single layers, and the cache, which an interrupted measurement of
            distances goes on from.
        progress: Told about every clip or layer.

    Raises:
        QuantizationError: A layer cannot be quantized alone.
    """
    if metric_of(config.sensitivity).role == OUTPUT:
        return calibration
    run, clips = ForcedRun(prepared), forced_clips(prepared.speech, calibration)
    bits = width_of(config.sensitivity)
    found: Statistics
    if bits is None:
        cache = measured_cache(prepared, calibration, config, "gradient")
        found = cache.read()
        if not all((layer.name, GRADIENT) in found for layer in prepared.layers if layer.weight is not None):
            found = gradient_statistics(run, clips, progress)
            cache.append(found)
    else:
        spec = WeightSpec(bits, Granularity.parse(config.granularity), config.symmetric)
        cache = measured_cache(prepared, calibration, config, str(spec))
        job = DistanceJob(run, clips, Alone(spec), cache.read())
        found = measure_distances(job, progress, cache.append)
    return replace(calibration, statistics={**calibration.statistics, **found})


def forced_clips(
    speech: SpeechModel, calibration: Calibration, most: int | None = None, among: Sequence[int] | None = None
) -> tuple[ForcedClip, ...]:
    """Calibration clips with what the full-precision model writes for each.

    Args:
        speech: The model.
        calibration: Its clips and transcripts.
        most: How many at most, evenly spread.
        among: Positions of those to choose from; None for all.
    """
    pairs = list(zip(calibration.clips.clips, calibration.transcripts, strict=True))
    pairs = pairs if among is None else [pairs[index] for index in among]
    count = len(pairs) if most is None else min(most, len(pairs))
    chosen = (pairs[index * len(pairs) // count] for index in range(count))
    return tuple(forced_clip(speech, clip.samples, transcript) for clip, transcript in chosen)


def measured_cache(prepared: Prepared, calibration: Calibration, config: QuantizeConfig, what: str) -> MeasuredCache:
    """Where ``what`` was measured of single layers, for this model and user, is kept."""
    key = (prepared.speech.fingerprint, calibration.clips.sha256, config.language or "", what)
    return MeasuredCache.of(config.cache, key)
