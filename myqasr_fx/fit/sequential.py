"""Rounds layer after layer, each on what it reads behind the layers that are rounded already.

Clips wait in front of a layer, at full precision and rounded so far; the layer is rounded and all go on to the next. So
they pass each model once, whatever the number of layers. Some of them are enough for layers that read 1,500 frames a
clip; the others set out when a layer is reached that reads too few. Biases take up what is left of the mean error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx

from myqasr_fx.fit.job import FitJob
from myqasr_fx.fit.lay_aside import laid_aside
from myqasr_fx.measure.energies import Energies, value_key
from myqasr_fx.measure.forced_run import Cut, ForcedClip, ForcedRun, ForcedState
from myqasr_fx.process.progress import MODEL_PASSES, Progress
from passes.allocation.allocate_bits import read_scheme
from passes.base import Program
from passes.calibration import REGISTRY as CALIBRATIONS
from passes.calibration.calibrate import weight_qparams
from passes.graph import ops
from passes.graph.graph_edit import get_tensor
from passes.graph.layers import Layer
from passes.graph.ops import LayerKind
from passes.numbers.quantized_weight import QuantizedWeight
from passes.numbers.scheme import FLOAT_BITS, LayerScheme
from passes.numbers.trellis import NO_TABLES, Tables
from passes.observe.gram_observer import Patches, frame_weights
from passes.observe.paired_moments import PairedMoments
from passes.registry import lookup
from passes.rounding import REGISTRY as ROUNDINGS
from passes.rounding.correct_biases import bias_node, corrected
from passes.rounding.round_weights import round_weight

_FLAT = 3  # inputs an output from which on it pays to look at outputs instead


@dataclass(frozen=True, slots=True, eq=False)
class Sequenced:
    """What came of the layers that the logits need.

    Args:
        weights: Layer name to its rounded weight; layers that are all float32 are left out.
        mean_errors: Layer name to (N,) what its outputs lack on average, where a bias can make up for it.
    """

    weights: Mapping[str, QuantizedWeight]
    mean_errors: Mapping[str, Tensor]


@dataclass(slots=True, eq=False)
class _Clip:
    """One clip, by its position, in front of a step, at full precision and rounded so far."""

    at: int
    forced: ForcedClip
    exact: ForcedState
    rounded: ForcedState


class _Behind(Mapping[str, Tensor]):
    """Attribute path of each rounded weight, and of each corrected bias, to its values.

    Weights stay codes, a quarter of the bytes, and become floats for the stretch of the graph that reads them.
    """

    def __init__(self) -> None:
        self._kept: dict[str, QuantizedWeight | Tensor] = {}
        self._floats: dict[str, Tensor] = {}

    def put(self, path: str, value: QuantizedWeight | Tensor) -> None:
        """Adds one."""
        self._kept[path] = value

    def rest(self) -> None:
        """Drops the floats: a stretch is over."""
        self._floats.clear()

    def __getitem__(self, path: str) -> Tensor:
        if path not in self._floats:
            value = self._kept[path]
            self._floats[path] = value if isinstance(value, Tensor) else value.dequantize()
        return self._floats[path]

    def __contains__(self, path: object) -> bool:
        return path in self._kept

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)


@dataclass(slots=True, eq=False)
class _Sequence:
    """The clips on their way, and what the layers behind them were rounded to.

    Args:
        run: Full precision.
        progress: Told about the time that the model's passes take.
        clips: In front of the same step.
        later: Clips that have not set out.
        enough: Frames an input below which they do.
        energies: How much frames matter, where that is known.
        weights: What is rounded already.
        known: Moments of what a layer has read, by the value and its cut into rows, while another may read the same.
    """

    run: ForcedRun
    progress: Progress
    clips: list[_Clip]
    later: list[_Clip]
    enough: float
    energies: Energies
    weights: _Behind = field(default_factory=_Behind)
    known: dict[tuple[fx.Node, Patches | None], PairedMoments] = field(default_factory=dict)

    def advance(self, cut: Cut) -> fx.Node:
        """Takes the clips to a step, and gives it."""
        self._take(self.clips, cut)
        return self.run.runs[cut[0]].steps[cut[1]]

    def _take(self, clips: Sequence[_Clip], cut: Cut) -> None:
        start = (clips[0].exact.graph, clips[0].exact.state.position)
        with self.progress.part(MODEL_PASSES):
            for stop in (*(found for found in self.run.cuts if start < found < cut), cut):
                for clip in clips:
                    clip.exact = self.run.advance(clip.forced, clip.exact, stop)
                    clip.rounded = self.run.advance(clip.forced, clip.rounded, stop, self.weights)
                self.weights.rest()
                self.run.prepared.speech.set_aside()

    def moments(self, layer: Layer, node: fx.Node, cut: Cut) -> PairedMoments | None:
        """Of what the layer reads at ``node``, the step ``cut``; None for a lookup or grouped channels."""
        role = ops.role_of(node)
        patches = Patches.of(node) if role is not None and role.kind.convolves else None
        if role is None or role.kind is LayerKind.EMBEDDING or (role.kind.convolves and patches is None):
            return None
        (source,) = ops.activation_nodes(node)
        alive = self.clips[0].exact.state.values
        self.known = {key: moments for key, moments in self.known.items() if key[0] in alive}
        if (source, patches) not in self.known:
            alone = len(source.users) == 1 and _FLAT * layer.rows <= layer.cols
            weight = self.run.prepared.weight(layer).detach() if alone else None
            self.known[source, patches] = self._moments(PairedMoments(layer.cols, weight=weight), source, patches, cut)
        return self.known[source, patches].as_centred(bias_node(node) is not None)

    def _moments(self, total: PairedMoments, source: fx.Node, patches: Patches | None, cut: Cut) -> PairedMoments:
        self._add(total, self.clips, source, patches)
        if self.later and total.frames < self.enough * total.cols:
            self._take(self.later, cut)
            self._add(total, self.later, source, patches)
            self.clips, self.later = [*self.clips, *self.later], []
        return total

    def _add(self, total: PairedMoments, clips: Sequence[_Clip], source: fx.Node, patches: Patches | None) -> None:
        for clip in clips:
            key = value_key(self.run.graphs[clip.exact.graph], source)
            pair = [state.state.values[source] for state in (clip.exact, clip.rounded)]
            exact, rounded = pair if patches is None else [patches.rows(value) for value in pair]
            total.add(exact, rounded, _weights(exact, self.energies.get((clip.at, key))))


def _weights(exact: Tensor, energy: Tensor | None) -> Tensor:
    """(…, frames) of what a layer reads (…, frames, K): half by what changes, half by what matters."""
    weights = frame_weights(exact)
    return weights if energy is None else (weights + energy) / 2


Round = Callable[[str, Tensor, PairedMoments | None], QuantizedWeight]
"""From a layer's name, its weight and what it reads, to what is computed with instead."""


def round_in_sequence(job: FitJob, program: Program, tables: Tables = NO_TABLES) -> Sequenced:
    """Rounds every layer that the logits need and that is not all float32.

    Args:
        job: Ranked; holds the clips, and Gram matrices for layers whose inputs cannot be paired.
        program: Its graphs with schemes in their metadata.
        tables: Of trellis codes.

    Raises:
        QuantizationError: A weight cannot be quantized as its scheme says.
    """
    schemes, grams, importance = read_scheme(program).layers, job.measurements.grams, job.measurements.importance

    def rounded(name: str, weight: Tensor, moments: PairedMoments | None) -> QuantizedWeight:
        target, gram = weight, grams.get(name)
        if moments is not None and gram is not None:
            target, gram = moments.target(weight)
        weighed = importance.get(name) if tables else None
        found = _rounded(target, schemes[name], gram, tables, weighed)
        return laid_aside(found) if job.prepared.speech.lies_in_files else found

    kept = {name for name, s in schemes.items() if all(block.spec.bits == FLOAT_BITS for block in s.blocks)}
    return in_sequence(job, schemes.keys() - kept, rounded)


def in_sequence(job: FitJob, names: Set[str], rounded: Round) -> Sequenced:
    """Replaces the weights of layers one after the other, each on what it reads behind the others.

    Args:
        job: Holds the clips.
        names: Layers to replace, of those that the logits need.
        rounded: Gives each of them its new weight.
    """
    prepared, progress = job.prepared, job.progress
    run = ForcedRun(prepared)
    layers = {layer.name: layer for layer in prepared.layers if layer.weight is not None}
    steps = sorted((cut, name) for name, cut in run.first_steps().items() if name in layers)
    sequence = _set_out(job, run)
    weights, mean_errors = dict[str, QuantizedWeight](), dict[str, Tensor]()
    with progress.stage("round in sequence", len(steps)) as advance, torch.no_grad():
        for cut, name in steps:
            advance(1)
            if name not in names:
                continue
            node = sequence.advance(cut)
            moments, weight = sequence.moments(layers[name], node, cut), prepared.weight(layers[name]).detach()
            weights[name] = rounded(name, weight, moments)
            sequence.weights.put(str(layers[name].weight), weights[name])
            bias = bias_node(node)
            if bias is not None and moments is not None:
                mean_errors[name] = moments.mean_error(weight, weights[name].dequantize())
                path = str(bias.target)
                sequence.weights.put(path, corrected(get_tensor(run.runs[cut[0]].module, path), mean_errors[name]))
    return Sequenced(weights, mean_errors)


def _set_out(job: FitJob, run: ForcedRun) -> _Sequence:
    """The clips in front of the first step, and those that wait."""
    forced = job.measurements.observed.forced(job.prepared.speech, job.shares.sequence)
    starts = [
        (at, _Clip(at, clip, run.start(clip), run.start(clip)))
        for at, clip in zip(job.shares.sequence, forced, strict=True)
    ]
    first, later = ([clip for at, clip in starts if (at in job.shares.first) is now] for now in (True, False))
    return _Sequence(run, job.progress, first, later, job.limits.enough_frames, job.measurements.energies)


def _rounded(
    target: Tensor, scheme: LayerScheme, gram: Tensor | None, tables: Tables, importance: Tensor | None
) -> QuantizedWeight:
    qparams = weight_qparams(target, scheme, CALIBRATIONS["min_max"])
    rounding = lookup(ROUNDINGS, scheme.rounding, "rounding")
    return round_weight(target, scheme, qparams, rounding, gram, tables, importance)
