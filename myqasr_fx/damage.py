"""Measures what it takes to say how much every way to store the model costs this user: curvature, and corrections.

The expectation of ``passes.damage`` takes frames as uncorrelated, which those of some layers are far from. So each
layer alone is rounded to 3 bits, and the divergence that this really causes corrects its expectation at every width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from myqasr_fx.calibration import Calibration
from myqasr_fx.config import QuantizeConfig
from myqasr_fx.curvature import measure_curvature
from myqasr_fx.damage_table import damage_table
from myqasr_fx.forced_run import ForcedClip, ForcedRun
from myqasr_fx.layer_distances import Alone, DistanceJob, measure_distances
from myqasr_fx.prepare import Prepared
from myqasr_fx.progress import Progress
from myqasr_fx.sensitivity import forced_clips, measured_cache
from myqasr_fx.statistics_cache import curvature_file, read_curvatures, write_curvatures
from passes.activation_stats import ActivationStats, Statistics
from passes.allocation.items import LARGE_LAYER
from passes.curvature import Curvatures
from passes.damage import CORRECTION_BITS
from passes.rounding import STAND_INS, USES_GRAMS
from passes.scheme import Granularity, WeightSpec

CURVATURE_CLIPS = 16
"""Most clips whose curvature is measured."""

CORRECTION_CLIPS = 4
"""Clips on which single layers are rounded."""

_LARGE_BITS = 2  # measured as well where the budget may press a large layer so far


def measure_damage(
    prepared: Prepared, calibration: Calibration, config: QuantizeConfig, progress: Progress
) -> Calibration:
    """``calibration`` with Gram matrices for the rounding, and with the damage to expect of every choice.

    Args:
        prepared: Canonical graphs.
        calibration: Clips and what the full-precision model writes for them.
        config: Nothing is measured unless its allocation is ``optimal``.
        progress: Told about every clip and layer.
    """
    if config.allocation != "optimal":
        return calibration
    run = ForcedRun(prepared)
    clips = forced_clips(prepared.speech, calibration, CURVATURE_CLIPS)
    curvatures = _curvatures(run, clips, (calibration, config), progress)
    grams = {name: gram for name, curvature in curvatures.items() if (gram := curvature.objective()) is not None}
    calibration = replace(calibration, grams=grams)
    clips = forced_clips(prepared.speech, calibration, CORRECTION_CLIPS)
    measured = _corrections(run, clips, (calibration, config), progress)
    with progress.stage("expect damage"):
        return replace(calibration, damages=damage_table(prepared, config, curvatures, measured))


def _curvatures(
    run: ForcedRun, clips: Sequence[ForcedClip], known: tuple[Calibration, QuantizeConfig], progress: Progress
) -> Curvatures:
    """Measured, or kept from an earlier run."""
    calibration, config = known
    speech = run.prepared.speech
    path = config.cache and curvature_file(config.cache, speech, calibration.clips, (config.language, config.seed))
    found = path and read_curvatures(path)
    if not found:
        found = measure_curvature(run, clips, config.seed, progress)
        if path:
            write_curvatures(path, found)
    return found


def _corrections(
    run: ForcedRun, clips: Sequence[ForcedClip], known: tuple[Calibration, QuantizeConfig], progress: Progress
) -> Statistics:
    """Divergences in roles such as ``kl@3`` of every layer rounded alone, of large layers at 2 bits too."""
    calibration, config = known
    prepared, found = run.prepared, dict[tuple[str, str], ActivationStats]()
    large = LARGE_LAYER * prepared.num_weights
    weighty = frozenset(layer.name for layer in prepared.layers if layer.num_weights > large)
    grams = calibration.grams if config.rounding in USES_GRAMS else {}
    for bits, names in ((CORRECTION_BITS, None), (_LARGE_BITS, weighty)):
        spec = WeightSpec(bits, Granularity.parse(config.granularity), config.symmetric)
        rounding = STAND_INS.get(config.rounding, config.rounding)
        cache = measured_cache(prepared, calibration, config, f"{rounding} {spec}")
        alone = Alone(spec, rounding, grams)
        found |= measure_distances(DistanceJob(run, clips, alone, cache.read(), ("kl",), names), progress, cache.append)
    return found
