"""Measures what a sensitivity metric looks at beyond the activations that every run observes."""

from __future__ import annotations

from myqasr_fx.measure.gradients import gradient_statistics, output_gradient_statistics
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.layer_alone import Alone, DistanceJob, measure_distances
from myqasr_fx.measure.measurements import Measurements
from passes.needs import LayerAlone, Role
from passes.observe.activation_stats import GRADIENT, Statistics


def measure_role(job: MeasureJob, heard: Measurements, role: Role) -> Statistics:
    """Statistics in ``role``, kept layer by layer, so that an interrupted measurement goes on where it was.

    Args:
        job: Model, store and how a layer is rounded alone.
        heard: Clips that calibrate, with the statistics of their inputs.
        role: ``GRADIENT``, ``OUTPUT_GRADIENT``, or the distances of layers alone.

    Raises:
        QuantizationError: A layer cannot be quantized alone.
    """
    observed = heard.observed
    clips = observed.forced(job.prepared.speech)
    if isinstance(role, LayerAlone):
        alone = Alone(job.request.spec(role.bits), input_bits=role.input_bits, statistics=heard.statistics)
        what = str(alone.spec) if role.input_bits is None else f"{alone.spec}, inputs of {role.input_bits} bits"
        ledger = job.store.ledger(observed.clips, what)
        return measure_distances(DistanceJob(job.run, clips, alone, ledger.read()), job.progress, save=ledger.append)
    ledger = job.store.ledger(observed.clips, role)
    found = ledger.read()
    if not all((layer.name, role) in found for layer in job.prepared.layers if layer.weight is not None):
        measured = gradient_statistics if role == GRADIENT else output_gradient_statistics
        found = measured(job.run, clips, job.progress)
        ledger.append(found)
    return found
