"""What ``quantize`` would do: the width of every layer and the bytes that it predicts."""

from __future__ import annotations

from dataclasses import dataclass

from myqasr_fx.fit.fit import allocated
from myqasr_fx.fit.job import FitJob
from myqasr_fx.process.stage import Stage
from passes.base import Program
from passes.graph import meta
from passes.graph.layers import Layer, nodes_of
from passes.numbers.scheme import LayerScheme


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """One layer of a plan.

    Args:
        name: Path of its weight in the network, or of the attention product.
        op: linear, conv1d, embedding or matmul.
        shape: Of the weight; empty for a product of activations.
        bits: Mean width; None for a product.
        rows: Width to number of rows, widest first.
        sensitivity: Larger is more sensitive.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    bits: float | None
    rows: tuple[tuple[float, int], ...]
    sensitivity: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A scheme that was not carried out.

    Args:
        model: Name of the model.
        budget_bytes: What is allowed; None without a budget.
        predicted_bytes: What the size rule predicts; the files of a real run are measured and may differ a little.
        num_weights: Weights in layers.
        clips: Clips that the sensitivities come from.
        rejected: Recordings that could not be used, with the reason.
        layers: In network order.
        stages: The road that these options take.
    """

    model: str
    budget_bytes: int | None
    predicted_bytes: int
    num_weights: int
    clips: int
    rejected: tuple[str, ...]
    layers: tuple[PlannedLayer, ...]
    stages: tuple[Stage, ...] = ()


def make_plan(job: FitJob, stages: tuple[Stage, ...]) -> Plan:
    """Allocates, and stops there.

    Args:
        job: Ranked and priced.
        stages: What the whole road would be.

    Raises:
        BudgetError: The budget is infeasible.
    """
    program, predicted = allocated(job)
    budget, clips = job.request.allocation.budget, job.measurements.observed.clips
    return Plan(
        model=job.prepared.speech.name,
        budget_bytes=None if budget is None else int(budget),
        predicted_bytes=predicted,
        num_weights=job.prepared.num_weights,
        clips=len(clips.clips),
        rejected=tuple(item.reason for item in clips.rejected),
        layers=tuple(_planned(program, layer) for layer in job.prepared.layers),
        stages=stages,
    )


def _planned(program: Program, layer: Layer) -> PlannedLayer:
    node = next(nodes_of(program, layer))[1]
    scheme: LayerScheme | None = meta.get(node, meta.SCHEME)
    bits = None if scheme is None else round(scheme.mean_bits, 4)
    sensitivity = float(meta.get(node, meta.SENSITIVITY))
    return PlannedLayer(layer.name, layer.kind.value, layer.shape, bits, _rows(scheme), sensitivity)


def _rows(scheme: LayerScheme | None) -> tuple[tuple[float, int], ...]:
    rows: dict[float, int] = {}
    for block in () if scheme is None else scheme.blocks:
        rows[block.spec.mean_bits] = rows.get(block.spec.mean_bits, 0) + block.stop - block.start
    return tuple(sorted(rows.items(), reverse=True))
