"""Measures the curvature of every layer on the user's clips: one forward and one backward pass a clip, no labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx

from myqasr_fx.measure.clip_shares import Positions
from myqasr_fx.measure.energies import Energies, EnergySum
from myqasr_fx.measure.forced_run import ForcedClip, ForcedRun
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measurements import Observed
from myqasr_fx.measure.probed_run import Seen, run_probed
from myqasr_fx.process.freed_memory import trim
from myqasr_fx.process.progress import MODEL_PASSES, Progress
from passes.damage.curvature import Curvature, Curvatures, CurvatureSum
from passes.graph import ops
from passes.graph.layers import Layer
from passes.graph.ops import LayerKind
from passes.observe.gram_observer import Patches
from passes.observe.on_demand import OnDemand
from passes.observe.shelf import Shelf


def curvatures_of(job: MeasureJob, observed: Observed) -> tuple[Curvatures, Energies]:
    """The curvature of every layer and, where it is needed, the energy of frames; measured together, or kept."""
    curved, seed = job.shares.curvature, job.request.seed
    weighed = job.shares.sequence if job.request.needs.energies else ()
    key = job.store.keys.curvatures(observed.clips, curved, seed)
    energies_key = job.store.keys.energies(observed.clips, (curved, weighed), seed)
    known, energies = job.store.read(key), job.store.read(energies_key) if weighed else {}
    if known is None or energies is None:
        order = tuple(dict.fromkeys(curved + weighed))
        clips = dict(zip(order, observed.forced(job.prepared.speech, order), strict=True))
        known, energies = measure_curvature(job.run, clips, (curved, weighed), (seed, job.progress))
        job.store.write(key, known)
        if weighed:
            job.store.write(energies_key, energies)
    return known, energies


def grams_of(curvatures: Curvatures) -> Mapping[str, Tensor]:
    """Layer name to the Gram matrix that rounding looks at, where there is one."""

    def made(name: str) -> Tensor:
        gram = curvatures[name].objective()
        assert gram is not None
        return gram

    return OnDemand((name for name, curvature in curvatures.items() if curvature.objective() is not None), made)


def measure_curvature(
    run: ForcedRun,
    clips: Mapping[int, ForcedClip],
    shares: tuple[Positions, Positions],
    how: tuple[int, Progress],
) -> tuple[Curvatures, Energies]:
    """The curvature of every layer with a weight that the logits need, and the energies of frames.

    Args:
        run: The full-precision model.
        clips: Position to at least one, with the model's own tokens.
        shares: Those whose curvature is measured, and those whose frames are weighed.
        how: Seed of the random probes, and who is told about every clip.
    """
    (curved, weighed), (seed, progress) = shares, how
    layers = {layer.name: layer for layer in run.prepared.layers if layer.weight is not None}
    shelf = Shelf()
    sums = {name: CurvatureSum(shelf) for name in layers}
    generator = torch.Generator().manual_seed(seed)

    positions, energies = 0, dict[tuple[int, str], Tensor]()
    with progress.stage("measure curvature", len(clips)) as advance:
        for at, clip in clips.items():
            found = EnergySum(run) if at in weighed else None
            with progress.part(MODEL_PASSES):
                heard = run_probed(run, clip, generator, _seen(sums if at in curved else {}, found))
            energies |= {(at, key): energy for key, energy in (found.means() if found else {}).items()}
            positions += heard if at in curved else 0
            advance(1)
    trim()
    shapes = {name: (layer.rows, layer.cols) for name, layer in layers.items()}

    def mean(name: str) -> Curvature:
        found = sums[name].mean(positions, shapes[name])
        assert found is not None
        return found

    return OnDemand((name for name, total in sums.items() if total), mean), energies


def _seen(sums: Mapping[str, CurvatureSum], energies: EnergySum | None) -> Seen:
    """Adds every use of a layer to its sum, where there is one, and to those of the clip."""

    def add(layer: Layer, node: fx.Node, args: tuple[Any, ...], gradient: Tensor) -> None:
        if layer.name in sums:
            _add(sums[layer.name], layer, node, (args, gradient))
        if energies is not None:
            energies.add(node, gradient)

    return add


def _add(total: CurvatureSum, layer: Layer, node: fx.Node, seen: tuple[tuple[Any, ...], Tensor]) -> None:
    """Adds one use of a layer: what it read, and the gradient of its result."""
    args, gradient = seen
    role = ops.role_of(node)
    if role is None:
        return
    if role.kind is LayerKind.EMBEDDING:
        total.add_lookup(args[1], gradient, layer.rows)
    elif role.kind is LayerKind.CONV1D:
        patches, wanted = Patches.of(node), gradient.transpose(-1, -2)  # (B, frames, N)
        if patches is None:
            total.add_scale(args[0], wanted)
        else:
            total.add_product(patches.rows(args[0]), wanted)
    else:
        total.add_product(args[0], gradient)
