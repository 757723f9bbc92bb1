"""Measures how far the expected damage of layers is from what rounding them costs, to correct the one by the other.

The expectation of ``passes.damage.expected`` takes frames as uncorrelated, which those of some layers are far from. So
each layer alone is rounded to 3 bits, and what this costs, as far as one more backward pass a clip can tell, corrects
its expectation at every width. Large layers, on which most bytes depend, are held against the divergence itself.

Clips are those that were kept from the curvature (``clip_shares``). A tied embedding alone is rounded on the tokens of
all clips: its Gram matrix is damped too much to follow a few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.layer_alone import Alone, DistanceJob, measure_distances
from myqasr_fx.measure.measurements import Observed
from myqasr_fx.measure.probed_damage import probe_damage
from passes.allocation.items import LARGE_LAYER
from passes.damage.expected import CORRECTION_BITS
from passes.graph.layers import Layer
from passes.needs import LayerAlone, Role
from passes.numbers.quantized_weight import QuantizedWeight
from passes.observe.activation_stats import ActivationStats, Statistics
from passes.observe.insert_gram_observers import Grams

CORRECTION = LayerAlone("kl", CORRECTION_BITS)
"""Role of what rounding a layer alone costs."""

CORRECTIONS = (CORRECTION_BITS, 2)
"""Widths at which large layers are measured: narrower ones where the budget may press a large layer so far."""


def measure_corrections(job: MeasureJob, observed: Observed, grams: Grams) -> Statistics:
    """Divergences in roles such as ``kl@3`` of every layer rounded alone, of large layers at 2 bits too.

    Args:
        job: Model, store and how layers are rounded alone.
        observed: Clips that calibrate.
        grams: That rounding looks at; empty for one that looks at none.
    """
    run, found = job.run, dict[tuple[str, Role], ActivationStats]()
    large = LARGE_LAYER * job.prepared.num_weights
    weighty = frozenset(layer.name for layer in job.prepared.layers if layer.num_weights > large)
    clips = observed.forced(job.prepared.speech, job.shares.correct)
    for bits in CORRECTIONS:
        alone = _alone(job, bits, grams)
        ledger = job.store.ledger(observed.clips, f"{_how(job, alone)} on {job.shares.correct}")
        stage = f"large layers at {bits} bits"
        distances = DistanceJob(run, clips, alone, ledger.read(), ("kl",), weighty, stage)
        found |= measure_distances(distances, job.progress, save=ledger.append)
    others = [layer for layer in job.prepared.layers if layer.name in run.first_steps() and layer.name not in weighty]
    found.update(_probed(job, observed, [layer for layer in others if layer.weight is not None], grams))
    return found


def _probed(job: MeasureJob, observed: Observed, layers: Sequence[Layer], grams: Grams) -> Statistics:
    """What rounding each of ``layers`` costs; measured, or kept from an earlier run."""
    alone = _alone(job, CORRECTION_BITS, grams)
    ledger = job.store.ledger(observed.clips, f"probed {_how(job, alone)} on {job.shares.probe}")
    found = {key: stats for key, stats in ledger.read().items() if key[1] == CORRECTION}
    if {layer.name for layer in layers} <= {name for name, _ in found}:
        return found
    rounded: dict[str, QuantizedWeight] = {}
    with job.progress.stage("round single layers", len(layers)) as advance:
        for layer in layers:
            rounded[layer.name] = alone.rounded(job.prepared.weight(layer), layer)
            advance(1)
    clips = observed.forced(job.prepared.speech, job.shares.probe)
    probed = probe_damage(job.run, clips, rounded, job.request.seed, job.progress)
    found = {(name, CORRECTION): stats for name, stats in probed.items()}
    ledger.append(found)
    return found


def _alone(job: MeasureJob, bits: int, grams: Mapping[str, Tensor]) -> Alone:
    """How a layer is rounded that is rounded alone."""
    return Alone(job.request.spec(bits), job.request.rounding, grams)


def _how(job: MeasureJob, alone: Alone) -> str:
    """How layers are rounded, and by the inputs of which clips."""
    return f"{alone.rounding} {alone.spec} by {job.shares.curvature} seed {job.request.seed}"
