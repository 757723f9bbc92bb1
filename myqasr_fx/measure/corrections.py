"""Measures what it takes to say how much every way to store the model costs this user: curvature, and corrections.

The expectation of ``passes.damage.expected`` takes frames as uncorrelated, which those of some layers are far from. So
each layer alone is rounded to 3 bits, and what this costs, as far as one more backward pass a clip can tell, corrects
its expectation at every width. Large layers, on which most bytes depend, are held against the divergence itself.

Codes are chosen for the clips of the curvature and cost less on those than on any others, least where a layer reads a
frame a token. What rounded layers cost is therefore measured on clips that were kept from the curvature. A tied
embedding alone is rounded on the tokens of all clips: its Gram matrix is damped too much to follow a few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from myqasr_fx.fit.damage_table import damage_table
from myqasr_fx.measure.curvature import measure_curvature
from myqasr_fx.measure.forced_run import ForcedClip, ForcedRun
from myqasr_fx.measure.layer_alone import Alone, DistanceJob, measure_distances
from myqasr_fx.measure.observe import Calibration
from myqasr_fx.measure.probed_damage import probe_damage
from myqasr_fx.measure.ranking import forced_clips, measured_cache
from myqasr_fx.measure.statistics_cache import curvature_file, read_curvatures, write_curvatures
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.process.progress import Progress
from passes.allocation.items import LARGE_LAYER
from passes.damage.curvature import Curvatures
from passes.damage.expected import CORRECTION_BITS
from passes.graph.layers import Layer
from passes.numbers.quantized_weight import QuantizedWeight
from passes.numbers.scheme import Granularity, WeightSpec
from passes.observe.activation_stats import ActivationStats, Statistics
from passes.rounding import USES_GRAMS
from passes.sensitivity import distance_role

KEPT = 4
"""One clip of so many is kept to measure what rounding costs, where there is more than one."""

CURVATURE_CLIPS = 16
"""Most clips whose curvature is measured."""

PROBED_CLIPS = 8
"""Clips that probe what rounded layers cost; half as many make widths that are expected to lose 1 % more."""

CORRECTION_CLIPS = 4
"""Clips on which the model runs with one large layer rounded."""

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
    others, _ = apart(len(calibration.transcripts))
    clips = forced_clips(prepared.speech, calibration, CURVATURE_CLIPS, others)
    curvatures = _curvatures(run, clips, (calibration, config), progress)
    calibration = replace(calibration, grams={**_grams(curvatures), **calibration.grams})
    measured = _corrections(run, (calibration, config), progress)
    with progress.stage("expect damage"):
        return replace(calibration, damages=damage_table(prepared, config, curvatures, measured))


def apart(count: int) -> tuple[Sequence[int], Sequence[int]]:
    """Positions, among ``count`` clips, of those whose curvature is measured and of those that are kept from it."""
    kept = range(KEPT - 1, count, KEPT) if count >= KEPT else range(max(count - 1, 0), count)
    return [index for index in range(count) if index not in kept] or [0], kept


def _kept_clips(run: ForcedRun, calibration: Calibration, most: int) -> Sequence[ForcedClip]:
    """Of the clips that are kept from the curvature."""
    return forced_clips(run.prepared.speech, calibration, most, apart(len(calibration.transcripts))[1])


def _grams(curvatures: Curvatures) -> dict[str, Tensor]:
    """Layer name to the Gram matrix that rounding looks at, where there is one."""
    return {name: gram for name, curvature in curvatures.items() if (gram := curvature.objective()) is not None}


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


def _corrections(run: ForcedRun, known: tuple[Calibration, QuantizeConfig], progress: Progress) -> Statistics:
    """Divergences in roles such as ``kl@3`` of every layer rounded alone, of large layers at 2 bits too."""
    calibration, config = known
    prepared, found = run.prepared, dict[tuple[str, str], ActivationStats]()
    large = LARGE_LAYER * prepared.num_weights
    weighty = frozenset(layer.name for layer in prepared.layers if layer.num_weights > large)
    clips = _kept_clips(run, calibration, CORRECTION_CLIPS)
    for bits in (CORRECTION_BITS, _LARGE_BITS):
        alone = _alone(bits, known)
        cache = measured_cache(prepared, calibration, config, f"{alone.rounding} {alone.spec}")
        job = DistanceJob(run, clips, alone, cache.read(), ("kl",), weighty)
        found |= measure_distances(job, progress, cache.append)
    others = [layer for layer in prepared.layers if layer.name in run.first_steps() and layer.name not in weighty]
    found.update(_probed(run, [layer for layer in others if layer.weight is not None], known, progress))
    return found


def _probed(
    run: ForcedRun, layers: Sequence[Layer], known: tuple[Calibration, QuantizeConfig], progress: Progress
) -> Statistics:
    """What rounding each of ``layers`` costs; measured, or kept from an earlier run."""
    calibration, config = known
    role, alone = distance_role("kl", CORRECTION_BITS), _alone(CORRECTION_BITS, known)
    how = f"probed on {PROBED_CLIPS} clips {alone.rounding} {alone.spec}"
    cache = measured_cache(run.prepared, calibration, config, how)
    found = {key: stats for key, stats in cache.read().items() if key[1] == role}
    if {layer.name for layer in layers} <= {name for name, _ in found}:
        return found
    rounded: dict[str, QuantizedWeight] = {}
    with progress.stage("round single layers", len(layers)) as advance:
        for layer in layers:
            rounded[layer.name] = alone.rounded(run.prepared.weight(layer), layer)
            advance(1)
    clips = _kept_clips(run, calibration, PROBED_CLIPS)
    probed = probe_damage(run, clips, rounded, config.seed, progress)
    found = {(name, role): stats for name, stats in probed.items()}
    cache.append(found)
    return found


def _alone(bits: int, known: tuple[Calibration, QuantizeConfig]) -> Alone:
    """How a layer is rounded that is rounded alone."""
    calibration, config = known
    spec = WeightSpec(bits, Granularity.parse(config.granularity), config.symmetric)
    return Alone(spec, config.rounding, calibration.grams if config.rounding in USES_GRAMS else {})
