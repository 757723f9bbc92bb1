"""How far the model's output distribution moves when one layer alone is quantized, for every layer with a weight.

The run of a layer starts at the last cut in front of it, where every clip's values are kept: what comes before is
computed once for all layers of the cut, and an encoder once for all layers of the decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from myqasr_fx.forced_run import Cut, ForcedClip, ForcedRun, ForcedState
from myqasr_fx.progress import Progress
from passes.activation_stats import Statistics
from passes.calibrate import weight_qparams
from passes.calibration import REGISTRY
from passes.layers import Layer
from passes.observer import Observer, pool
from passes.round_weights import round_weight
from passes.rounding.rtn import rtn
from passes.scheme import LayerScheme, RowBlock, WeightSpec
from passes.sensitivity import DISTANCES, distance_role

Save = Callable[[Statistics], None]
"""Called with what was measured of a layer as soon as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class DistanceJob:
    """What to measure.

    Args:
        run: The full-precision model.
        clips: At least one.
        spec: How the one layer is quantized; its scales are those of the whole range.
        known: What an earlier run measured; those layers are passed over.
    """

    run: ForcedRun
    clips: Sequence[ForcedClip]
    spec: WeightSpec
    known: Statistics

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles of the distances, all of which cost one run."""
        return tuple(distance_role(name, self.spec.bits) for name in DISTANCES)


def measure_distances(job: DistanceJob, progress: Progress, save: Save | None = None) -> Statistics:
    """Every distance of ``passes.sensitivity.DISTANCES``: statistics over clips, in roles such as ``kl@8``.

    Args:
        job: Model, clips and width.
        progress: Told about every layer.
        save: Told about every layer, so that an interrupted measurement can go on where it was.

    Raises:
        QuantizationError: A layer's weight cannot be quantized.
    """
    found = dict(job.known)
    left = _layers_by_cut(job)
    with progress.stage("quantize single layers", sum(len(layers) for _, layers in left)) as advance, torch.no_grad():
        states = [job.run.start(clip) for clip in job.clips]
        expected = [job.run.logits(*pair) for pair in zip(job.clips, states, strict=True)] if left else []
        for cut, layers in left:
            states = [job.run.advance(clip, state, cut) for clip, state in zip(job.clips, states, strict=True)]
            for layer in layers:
                measured = _measure(job, layer, states, expected)
                found |= measured
                if save is not None:
                    save(measured)
                advance(1)
    return found


def _layers_by_cut(job: DistanceJob) -> list[tuple[Cut, list[Layer]]]:
    """Layers still to be measured, each under the last cut in front of its first use."""
    steps = job.run.first_steps()
    groups: dict[Cut, list[Layer]] = {}
    for layer in job.run.prepared.layers:
        if layer.weight is None or layer.name not in steps:
            continue
        if all((layer.name, role) in job.known for role in job.roles):
            continue
        graph, position = steps[layer.name]
        groups.setdefault((graph, job.run.runs[graph].cut_before(position)), []).append(layer)
    return sorted(groups.items(), key=lambda group: group[0])


def _measure(job: DistanceJob, layer: Layer, states: Sequence[ForcedState], expected: Sequence[Tensor]) -> Statistics:
    """Distances with ``layer`` alone quantized."""
    weights = {str(layer.weight): quantized_alone(job.run.prepared.weight(layer), layer, job.spec)}
    observers = {name: Observer(()) for name in DISTANCES}
    for clip, state, wanted in zip(job.clips, states, expected, strict=True):
        pair = [log_probabilities(logits) for logits in (wanted, job.run.logits(clip, state, weights))]
        for name, distance in DISTANCES.items():
            observers[name](torch.tensor([distance(*pair)]))
    return {(layer.name, distance_role(name, job.spec.bits)): pool([seen]) for name, seen in observers.items()}


def quantized_alone(weight: Tensor, layer: Layer, spec: WeightSpec) -> Tensor:
    """``weight`` rounded to nearest over its whole range, in its own shape."""
    scheme = LayerScheme(layer.name, (RowBlock(0, layer.rows, spec),))
    qparams = weight_qparams(weight, scheme, REGISTRY["min_max"])
    return round_weight(weight, scheme, qparams, rtn).dequantize()


def log_probabilities(logits: Tensor) -> Tensor:
    """In float64: at 8 bits the divergence of two distributions is below the rounding of float32."""
    return logits.double().log_softmax(-1)
