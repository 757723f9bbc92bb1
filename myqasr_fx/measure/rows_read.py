"""Takes a bounded number of rows of what every layer reads, for calibration methods that look at values or outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from myqasr_fx.measure.forced_run import ForcedClip, ForcedRun
from myqasr_fx.measure.gradients import output_gradients
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measurements import Observed
from myqasr_fx.process.limits import Limits
from passes.calibration.patches import Geometry, geometry
from passes.calibration.rows_read import LayerRows, RowsRead
from passes.graph import meta, ops
from passes.graph.layers import Layer
from passes.graph.ops import LayerKind


def read_rows(job: MeasureJob, observed: Observed) -> RowsRead:
    """Some rows of what every layer reads, with gradients where they are needed.

    Args:
        job: Model, needs and seed.
        observed: Clips that calibrate.
    """
    clips = observed.forced(job.prepared.speech)
    reader = RowReader(job.prepared.layers, len(clips), job.request.seed, job.limits)
    with job.progress.stage("sample activations", len(clips)) as advance:
        for clip in clips:
            reader.add(job.run, clip, job.request.needs.row_gradients)
            advance(1)
    return reader.rows()


@dataclass(slots=True, eq=False)
class _Kept:
    """What was kept of one layer so far, lists of parts over clips."""

    inputs: list[list[Tensor]] = field(default_factory=list)
    others: list[Tensor] = field(default_factory=list)
    gradients: list[list[Tensor]] = field(default_factory=list)


class RowReader:
    """Keeps seeded rows, clip by clip.

    Args:
        layers: Of the model.
        clips: How many there will be.
        seed: Of the choice of rows.
        limits: How many rows, pairs and columns.
    """

    def __init__(self, layers: Sequence[Layer], clips: int, seed: int, limits: Limits) -> None:
        self._layers = {layer.name: layer for layer in layers}
        self._limits = limits
        self._rows = -(-limits.rows // clips)
        self._pairs = max(1, clips // limits.pairs)  # a pair from every so many clips
        self._random = torch.Generator().manual_seed(seed)
        self._kept: dict[str, _Kept] = {}
        self._clip = 0

    def add(self, run: ForcedRun, clip: ForcedClip, gradients: bool) -> None:
        """Runs a clip and keeps rows of it."""
        chosen: list[tuple[str, fx.Node, _Choice]] = []

        def keep(name: str, node: fx.Node, args: tuple[Any, ...]) -> None:
            choice = self._choose(self._layers[name], node, args)
            if choice is not None:
                chosen.append((name, node, choice))

        if gradients:
            found = {use.node: use.gradient for use in output_gradients(run, clip, keep)}
            for name, node, choice in chosen:
                self._kept[name].gradients.append(choice.of_output(found[node]))
        else:
            with torch.no_grad():
                run.logits(clip, run.start(clip), watch=lambda node, args, _: _see(node, args, keep))
        self._clip += 1

    def _choose(self, layer: Layer, node: fx.Node, args: tuple[Any, ...]) -> _Choice | None:
        """Keeps some rows of the node's inputs; None when it is not the layer's main use or not this clip's turn."""
        role = ops.role_of(node)
        if role is None or role.kind is not layer.kind:
            return None
        kept = self._kept.setdefault(layer.name, _Kept())
        if role.kind is LayerKind.MATMUL:
            if self._clip % self._pairs or len(kept.inputs) >= self._limits.pairs:
                return None
            return self._choose_pair(kept, args[0].detach(), args[1].detach())
        values: Tensor = args[0].detach()
        shape = geometry(node, layer.shape) if role.kind is LayerKind.CONV1D else None
        if role.kind is LayerKind.CONV1D:
            if shape is None:
                return None
            rows = self._some(len(values) * shape.outputs(values.shape[-1]), self._rows)
            kept.inputs.append(shape.rows(values, rows))
        else:
            rows = self._some(values[..., 0].numel(), self._rows)
            kept.inputs.append([values.reshape(-1, values.shape[-1])[rows].clone()])
        return _Choice(rows, shape)

    def _choose_pair(self, kept: _Kept, left: Tensor, right: Tensor) -> _Choice:
        left, right = left.reshape(-1, *left.shape[-2:]), right.reshape(-1, *right.shape[-2:])
        head = int(torch.randint(len(left), (), generator=self._random))
        rows, columns = (
            self._some(left.shape[-2], self._rows * self._pairs),
            self._some(right.shape[-1], self._limits.columns),
        )
        kept.inputs.append([left[head][rows].clone()])
        kept.others.append(right[head].T[columns].clone())
        return _Choice(rows, None, head, columns)

    def _some(self, count: int, most: int) -> Tensor:
        """Indices of ``most`` of ``count`` things, or of all."""
        return torch.randperm(count, generator=self._random)[:most].sort().values

    def rows(self) -> RowsRead:
        """Of all layers that were reached."""
        return RowsRead({name: _layer_rows(kept) for name, kept in self._kept.items() if kept.inputs})


@dataclass(frozen=True, slots=True, eq=False)
class _Choice:
    """Which outputs of a use belong to the rows kept."""

    rows: Tensor
    geometry: Geometry | None
    head: int | None = None
    columns: Tensor | None = None

    def of_output(self, gradient: Tensor) -> list[Tensor]:
        """Rows of a gradient of the use's result, a part each."""
        if self.columns is not None and self.head is not None:
            matrix = gradient.reshape(-1, *gradient.shape[-2:])[self.head]
            return [matrix[self.rows][:, self.columns].clone()]
        if self.geometry is not None:  # (B, N, T)
            rows = gradient.transpose(1, 2).reshape(-1, gradient.shape[1])[self.rows]
            return [part.clone() for part in rows.chunk(self.geometry.groups, dim=1)]
        return [gradient.reshape(-1, gradient.shape[-1])[self.rows].clone()]


def _see(node: fx.Node, args: tuple[Any, ...], keep: Any) -> None:
    name = meta.get(node, meta.LAYER)
    if name is not None and ops.role_of(node) is not None:
        keep(name, node, args)


def _layer_rows(kept: _Kept) -> LayerRows:
    if kept.others:  # every pair is a part
        return LayerRows(
            tuple(part for (part,) in kept.inputs), tuple(kept.others), tuple(part for (part,) in kept.gradients)
        )
    inputs, gradients = (
        tuple(torch.cat(parts) for parts in zip(*lists, strict=True)) for lists in (kept.inputs, kept.gradients)
    )
    return LayerRows(inputs, (), gradients)
