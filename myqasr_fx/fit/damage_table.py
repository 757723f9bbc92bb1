"""Expected nats of every way to store every item of the allocation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from myqasr_fx.fit.layer_requests import LayerRequest
from myqasr_fx.fit.request import FitRequest
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.models.prepared import Prepared
from passes.allocation.allocate_bits import allocation_items
from passes.allocation.choice import Damages
from passes.allocation.size_rule import Item
from passes.damage.curvature import Curvature
from passes.damage.expected import (
    Range,
    correction_factors,
    expected_damage,
    expected_trellis_damage,
    input_weights,
    range_of_groups,
)
from passes.damage.word_ranks import smooth_by_rank
from passes.graph.layers import Layer
from passes.graph.ops import LayerKind
from passes.needs import LayerAlone
from passes.numbers.scheme import (
    FLOAT_BITS,
    HALF_BITS,
    MAX_PACKED_BITS,
    TRELLIS_STEPS,
    Granularity,
    WeightSpec,
    weight_spec,
)
from passes.observe.activation_stats import Statistics
from passes.registry import lookup
from passes.rounding import REGISTRY as ROUNDINGS


def damage_table(prepared: Prepared, request: FitRequest, measurements: Measurements) -> Damages:
    """The table.

    Args:
        prepared: Canonical graphs.
        request: For granularities, symmetry and the rounding method.
        measurements: Curvatures of every layer that the logits need (the others cost nothing), and what corrects the
            expectations made of them.
    """
    found: dict[tuple[str, WeightSpec], float] = {}
    items: dict[str, list[Item]] = {}
    for item in allocation_items(prepared.program, split=True):
        items.setdefault(item.layer, []).append(item)
    for layer in prepared.layers:
        if layer.weight is None:
            continue
        expected = _Expected(prepared, layer, measurements.curvatures.get(layer.name), request)
        factors = correction_factors(expected.ratios(measurements.corrections))
        for spec in choices_of(request.layers[layer.name], request):
            # A trellis does the damage of evenly spaced levels of about one bit more, to which its factor belongs.
            rows = expected.rows(spec) * _between(factors, spec.mean_bits + spec.is_trellis)
            for item, nats in zip(items[layer.name], _of_items(rows, layer, items[layer.name]), strict=True):
                found[item.name, spec] = nats
    return found


def _of_items(rows: Tensor, layer: Layer, items: Sequence[Item]) -> list[float]:
    """Nats of each item, of those of the rows."""
    sums = torch.stack([rows[item.start : item.start + item.rows].sum() for item in items])
    if any(use.kind is LayerKind.EMBEDDING for use in layer.uses):
        sums = smooth_by_rank(sums, [(item.start, item.rows) for item in items])
    return [float(nats) for nats in sums]


def choices_of(layer: LayerRequest, request: FitRequest) -> tuple[WeightSpec, ...]:
    """Every way to store a layer that an allocation chooses from.

    Args:
        layer: What the layer gets.
        request: What all get.
    """
    narrowest = min(request.allocation.min_bits, layer.fixed_bits or FLOAT_BITS)
    widths = (FLOAT_BITS, HALF_BITS, *range(MAX_PACKED_BITS, narrowest - 1, -1))
    every = (
        weight_spec(bits, granularity, request.symmetric, asked, quarters)
        for asked in layer.formats
        for granularity in layer.granularities
        for bits in widths
        for quarters in (range(4) if asked == "trellis" else (0,))
        if not quarters or (bits, quarters) in TRELLIS_STEPS
    )
    return tuple(dict.fromkeys(every))


def _between(factors: Mapping[int, float], bits: float) -> float:
    """The factor of a width, those of whole widths in proportion to how near they are; 1 beyond them."""
    below = int(bits)
    low, high = factors.get(below, 1.0), factors.get(below + 1, 1.0)
    return low if bits == below else float(low ** (below + 1 - bits) * high ** (bits - below))


@dataclass(frozen=True, slots=True, eq=False)
class _Expected:
    """Expected damage of the rows of one layer.

    Args:
        prepared: Holds the weight.
        layer: The layer.
        curvature: None when the logits do not need the layer.
        request: As in :func:`damage_table`.
    """

    prepared: Prepared
    layer: Layer
    curvature: Curvature | None
    request: FitRequest
    _inputs: Tensor | None = field(init=False)
    _trellis: dict[Granularity, dict[tuple[int, int], Tensor]] = field(init=False, default_factory=dict)
    _ranges: dict[Granularity, Range] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        compensated = lookup(ROUNDINGS, self.request.rounding, "rounding").needs.grams
        found = None
        if self.curvature is not None:
            found = input_weights(self.curvature, self.layer.cols, compensated=compensated)
        object.__setattr__(self, "_inputs", found)

    def rows(self, spec: WeightSpec) -> Tensor:
        """Nats (N,) as ``passes.damage.expected`` expects them."""
        if spec.is_float or self.curvature is None or self._inputs is None:
            return torch.zeros(self.layer.rows)
        weight = self.prepared.weight(self.layer).detach().reshape(self.layer.rows, self.layer.cols)
        if spec.is_trellis:
            if spec.granularity not in self._trellis:
                found = expected_trellis_damage(weight, self.curvature, self._inputs, spec.granularity)
                self._trellis[spec.granularity] = found
            return self._trellis[spec.granularity][spec.bits, spec.quarters]
        if spec.bits > 1 and spec.granularity not in self._ranges:
            self._ranges[spec.granularity] = range_of_groups(weight, spec.granularity)
        return expected_damage(weight, self.curvature, self._inputs, spec, self._ranges.get(spec.granularity))

    def ratios(self, measured: Statistics) -> dict[int, float]:
        """Width to measured over expected nats, of the widths that were measured."""
        common, symmetric, ratios = self.request.granularity, self.request.symmetric, {}
        for width in range(1, MAX_PACKED_BITS + 1):
            seen = measured.get((self.layer.name, LayerAlone("kl", width)))
            if seen is not None and (nats := float(self.rows(WeightSpec(width, common, symmetric)).sum())) > 0:
                ratios[width] = seen.mean / nats
        return ratios
