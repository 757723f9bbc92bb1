"""How far the model's output distribution moves when one layer alone is quantized, for every layer with a weight.

The run of a layer starts at the last cut in front of it, where every clip's values are kept: what comes before is
computed once for all layers of the cut, and an encoder once for all layers of the decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from myqasr_fx.measure.forced_run import Cut, ForcedClip, ForcedRun
from myqasr_fx.process.progress import MODEL_PASSES, Progress
from passes.calibration import REGISTRY
from passes.calibration.calibrate import weight_qparams
from passes.calibration.search import round_each
from passes.graph import meta, ops
from passes.graph.graph_run import Feed
from passes.graph.layers import Layer
from passes.needs import LayerAlone
from passes.numbers.affine import activation_qparams
from passes.numbers.quantized_weight import QuantizedWeight
from passes.numbers.scheme import LayerScheme, RowBlock, WeightSpec
from passes.observe.activation_stats import Statistics, input_role
from passes.observe.observer import Observer, pool
from passes.registry import lookup
from passes.rounding import REGISTRY as ROUNDINGS
from passes.rounding.round_weights import round_weight
from passes.sensitivity.distances import DISTANCES

Save = Callable[[Statistics], None]
"""Called with what was measured of a layer as soon as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Alone:
    """How the one layer is quantized.

    Args:
        spec: Its scales start from the whole range.
        rounding: Name in the rounding registry.
        grams: Layer name to the Gram matrix of its inputs, for a rounding that uses it.
        input_bits: Width of what it reads; None keeps that float.
        statistics: Of inputs, whose whole range is quantized.
    """

    spec: WeightSpec
    rounding: str = "rtn"
    grams: Mapping[str, Tensor] = field(default_factory=dict, repr=False)
    input_bits: int | None = None
    statistics: Statistics = field(default_factory=dict, repr=False)

    def feed(self, layer: Layer) -> Feed | None:
        """Quantizes what the layer reads, wherever it is used as its main kind; None where that stays float."""
        seen = self.statistics.get((layer.name, input_role(0)))
        if self.input_bits is None or seen is None:
            return None
        qparams = activation_qparams(seen.min, seen.max, self.input_bits)

        def quantized(node: fx.Node, args: tuple[Any, ...]) -> tuple[Any, ...]:
            role = ops.role_of(node)
            if role is None or role.kind is not layer.kind or meta.get(node, meta.LAYER) != layer.name:
                return args
            return (round_each(args[0], [qparams])[0], *args[1:])

        return quantized

    def quantized(self, weight: Tensor, layer: Layer) -> Tensor:
        """``weight`` rounded, in its own shape."""
        return self.rounded(weight, layer).dequantize()

    def rounded(self, weight: Tensor, layer: Layer) -> QuantizedWeight:
        """The same as codes."""
        scheme = LayerScheme(layer.name, (RowBlock(0, layer.rows, self.spec),))
        qparams = weight_qparams(weight, scheme, REGISTRY["min_max"])
        rounding = lookup(ROUNDINGS, self.rounding, "rounding")
        return round_weight(weight, scheme, qparams, rounding, self.grams.get(layer.name))


@dataclass(frozen=True, slots=True, eq=False)
class DistanceJob:
    """What to measure.

    Args:
        run: The full-precision model.
        clips: At least one.
        alone: How the one layer is quantized.
        known: What an earlier run measured; those layers are passed over.
        distances: Names in ``passes.sensitivity.DISTANCES``.
        names: Layers to measure; None measures all.
        stage: Name of the progress.
    """

    run: ForcedRun
    clips: Sequence[ForcedClip]
    alone: Alone
    known: Statistics
    distances: tuple[str, ...] = tuple(DISTANCES)
    names: frozenset[str] | None = None
    stage: str = "quantize single layers"

    @property
    def roles(self) -> tuple[LayerAlone, ...]:
        """Roles of the distances, all of which cost one run."""
        return tuple(self.role(name) for name in self.distances)

    def role(self, distance: str) -> LayerAlone:
        """Of one distance."""
        return LayerAlone(distance, self.alone.spec.bits, self.alone.input_bits)


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
    with progress.stage(job.stage, sum(len(layers) for _, layers in left)) as advance, torch.no_grad():
        states = [job.run.start(clip) for clip in job.clips]
        expected: list[Tensor] = []
        for cut, layers in left:
            with progress.part(MODEL_PASSES):
                states = [job.run.advance(clip, state, cut) for clip, state in zip(job.clips, states, strict=True)]
                # No layer needs what comes before the first cut, so the reference goes on from there, too.
                expected = expected or [job.run.logits(*pair) for pair in zip(job.clips, states, strict=True)]
            for layer in layers:
                weight = {str(layer.weight): job.alone.quantized(job.run.prepared.weight(layer), layer)}
                feed = job.alone.feed(layer)
                with progress.part(MODEL_PASSES):
                    got = [job.run.logits(*pair, weight, feed=feed) for pair in zip(job.clips, states, strict=True)]
                measured = _measure(job, layer, expected, got)
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
        if layer.weight is None or layer.name not in steps or (job.names is not None and layer.name not in job.names):
            continue
        if all((layer.name, role) in job.known for role in job.roles):
            continue
        graph, position = steps[layer.name]
        groups.setdefault((graph, job.run.runs[graph].cut_before(position)), []).append(layer)
    return sorted(groups.items(), key=lambda group: group[0])


def _measure(job: DistanceJob, layer: Layer, expected: Sequence[Tensor], got: Sequence[Tensor]) -> Statistics:
    """Distances of the logits with ``layer`` alone quantized."""
    observers = {name: Observer(()) for name in job.distances}
    for each in zip(expected, got, strict=True):
        pair = [log_probabilities(logits) for logits in each]
        for name in job.distances:
            observers[name](torch.tensor([DISTANCES[name](*pair)]))
    return {(layer.name, job.role(name)): pool([seen]) for name, seen in observers.items()}


def log_probabilities(logits: Tensor) -> Tensor:
    """In float64: at 8 bits the divergence of two distributions is below the rounding of float32."""
    return logits.double().log_softmax(-1)
