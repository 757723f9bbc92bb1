"""Measures what a sensitivity metric looks at beyond the activations that every run observes."""

from __future__ import annotations

from myqasr_fx.measure.gradients import gradient_statistics
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.layer_alone import Alone, DistanceJob, measure_distances
from myqasr_fx.measure.measurements import Observed
from passes.needs import LayerAlone, Role
from passes.observe.activation_stats import GRADIENT, Statistics


def measure_role(job: MeasureJob, observed: Observed, role: Role) -> Statistics:
    """Statistics in ``role``, kept layer by layer, so that an interrupted measurement goes on where it was.

    Args:
        job: Model, store and how a layer is rounded alone.
        observed: Clips that calibrate.
        role: ``GRADIENT``, or the distances of layers alone.

    Raises:
        QuantizationError: A layer cannot be quantized alone.
    """
    if isinstance(role, LayerAlone):
        spec = job.request.spec(role.bits)
        ledger = job.store.ledger(observed.clips, str(spec))
        clips = observed.forced(job.prepared.speech)
        return measure_distances(
            DistanceJob(job.run, clips, Alone(spec), ledger.read()), job.progress, save=ledger.append
        )
    ledger = job.store.ledger(observed.clips, role)
    found = ledger.read()
    if not all((layer.name, GRADIENT) in found for layer in job.prepared.layers if layer.weight is not None):
        found = gradient_statistics(job.run, observed.forced(job.prepared.speech), job.progress)
        ledger.append(found)
    return found
