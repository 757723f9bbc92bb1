"""A user's scales and biases for codes that stay, and the files with them.

Layer after layer, on what it reads behind the others, scales are refitted and biases take up the mean error, as where
codes are chosen. What that is worth is measured on clips kept apart: where it is nothing, the base's values stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from myqasr_fx.bundle.external_data import model_files
from myqasr_fx.delta.record import Gain
from myqasr_fx.export.replace_floats import replace_floats
from myqasr_fx.fit.base import Base
from myqasr_fx.fit.fit import Fitted
from myqasr_fx.fit.job import FitJob
from myqasr_fx.fit.sequential import Sequenced, in_sequence
from myqasr_fx.measure.clip_shares import Positions, spread
from myqasr_fx.measure.forced_run import ForcedRun
from myqasr_fx.measure.layer_alone import log_probabilities
from passes.allocation.allocate_bits import read_scheme
from passes.graph.graph_edit import get_tensor
from passes.graph.layers import nodes_of
from passes.numbers.quantized_weight import QuantizedBlock, QuantizedWeight
from passes.observe.paired_moments import PairedMoments
from passes.rounding.correct_biases import bias_node, corrected
from passes.rounding.refit_scales import refit_scales


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """What may differ from the base.

    Args:
        weights: Layer name to the base's codes, with scales.
        biases: Attribute path to values (N,).
    """

    weights: Mapping[str, QuantizedWeight]
    biases: Mapping[str, Tensor]


def fit_to_base(job: FitJob, base: Base, folder: Path) -> Fitted:
    """Fits scales and biases, and writes the base's files with them.

    Args:
        job: Holds the clips, and the graphs of ``base``.
        base: Whose widths and codes stay.
        folder: Where the model files go.
    """
    first = Values({name: known.weight for name, known in base.layers.items() if known.weight}, base.biases)
    fitting, kept = _apart(job)
    found = _fitted(fitting, base)
    gain = Gain(len(kept), *_nats(job, kept, first, found))
    values = found if gain.taken else first
    layers = {name: replace(known, weight=values.weights.get(name)) for name, known in base.layers.items()}
    program = base.restored(layers, values.biases)
    floats = dict(_changed(first, values))
    models = job.request.layout.paths(folder, program.graphs)
    for graph, source in model_files(base.bundle, models).items():
        replace_floats(source, models[graph], floats)
    files = tuple(folder / file.name for file in base.bundle.manifest.files)
    scheme = read_scheme(program)
    budget = base.bundle.manifest.budget_bytes
    return Fitted(program, scheme, folder, models, files, budget, base.expectation, gain)


def _apart(job: FitJob) -> tuple[FitJob, Positions]:
    """The job on the clips that fit, and those that choose: the same one where there is only one."""
    shares, kept = job.shares, job.shares.probe
    others = tuple(at for at in shares.sequence if at not in kept) or shares.sequence
    first = spread(others, job.limits.first_clips)
    return replace(job, shares=replace(shares, sequence=others, first=first)), kept or others


def _fitted(job: FitJob, base: Base) -> Values:
    """Of a sequence behind the base's codes."""

    def refitted(name: str, weight: Tensor, moments: PairedMoments | None) -> QuantizedWeight:
        known = base.layers[name].weight
        if known is None:
            raise KeyError(name)
        if moments is None:
            return known
        target, gram = moments.target(weight)
        return refit_scales(target, known, gram)

    found = in_sequence(job, {name for name, known in base.layers.items() if known.weight}, refitted)
    weights = {name: known.weight for name, known in base.layers.items() if known.weight}
    return Values(weights | dict(found.weights), dict(base.biases) | dict(_corrected(job, found, base.biases)))


def _corrected(job: FitJob, found: Sequenced, known: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for layer in job.prepared.layers:
        error = found.mean_errors.get(layer.name)
        for module, node in nodes_of(job.prepared.program, layer) if error is not None else ():
            bias = bias_node(node)
            if bias is not None and error is not None and str(bias.target) in known:
                yield str(bias.target), corrected(get_tensor(module, str(bias.target)).detach(), error)


def _changed(first: Values, values: Values) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Name of each tensor of the files to other values, in the shapes that they have there."""
    for path, bias in values.biases.items():
        if not torch.equal(bias, first.biases[path]):
            yield path, bias.numpy()
    for name, weight in values.weights.items():
        for index, (block, old) in enumerate(zip(weight.blocks, first.weights[name].blocks, strict=True)):
            if isinstance(block, QuantizedBlock) and isinstance(old, QuantizedBlock):
                if not torch.equal(block.qparams.scale, old.qparams.scale):
                    yield f"{name}.{index}.scale", block.qparams.scale.t().contiguous().numpy()


def _nats(job: FitJob, kept: Positions, *tried: Values) -> list[float]:
    """Divergence of each from full precision on the clips kept apart, nats a position."""
    run, positions = ForcedRun(job.prepared), 0
    clips = job.measurements.observed.forced(job.prepared.speech, kept)
    with job.progress.stage("compare with the base", len(clips)) as advance, torch.no_grad():
        nats = [0.0] * len(tried)
        weights = [_floats(job, values) for values in tried]
        for clip in clips:
            expected = log_probabilities(run.logits(clip, run.start(clip)))
            positions += len(expected)
            for index, own in enumerate(weights):
                found = log_probabilities(run.logits(clip, run.start(clip), own))
                nats[index] += float((expected.exp() * (expected - found)).sum())
            advance(1)
    return [float(f"{max(total, 0.0) / max(positions, 1):.4g}") for total in nats]


def _floats(job: FitJob, values: Values) -> dict[str, Tensor]:
    paths = {layer.name: str(layer.weight) for layer in job.prepared.layers}
    return {paths[name]: weight.dequantize() for name, weight in values.weights.items()} | dict(values.biases)
