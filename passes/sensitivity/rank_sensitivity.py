"""RankSensitivity: how much each layer matters.

Before: canonical graphs whose quantizable nodes carry their layer's name, and the statistics of a calibration run.
After: ``meta.SENSITIVITY`` on every such node, the same number on all uses of a layer. A product of attention, which
has no weights whose width could be chosen, gets 0 where a metric looks at weights.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from passes.base import Fact, Program, ProgramPass
from passes.errors import PassError
from passes.graph import meta
from passes.graph.layers import Layer, find_layers, nodes_of
from passes.observe.activation_stats import OUTPUT, Statistics
from passes.sensitivity.metric import Metric
from passes.sensitivity.named import metric_of


@dataclass(frozen=True, slots=True)
class RankSensitivity(ProgramPass):
    """Writes the sensitivity of every layer.

    Args:
        statistics: Of the values that the metric looks at. Outputs of a weight that is also looked up as an embedding
            are those of its products.
        metric: Name in the sensitivity registry; a distance may have a width, such as ``kl@4``.
    """

    statistics: Statistics = field(repr=False)
    metric: str = "median"

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL})
    provides: ClassVar[frozenset[Fact]] = frozenset({Fact.SENSITIVITY})

    def run(self, program: Program) -> bool:
        """Annotates every use of every layer.

        Raises:
            PassError: A layer has no statistics, or its sensitivity is not a number.
        """
        metric = metric_of(self.metric)
        modified = False
        for layer in find_layers(program):
            value = self._sensitivity(layer, metric)
            for _, node in nodes_of(program, layer):
                modified |= meta.put(node, meta.SENSITIVITY, value)
        return modified

    def _sensitivity(self, layer: Layer, metric: Metric) -> float:
        if layer.weight is None and metric.role != OUTPUT:
            return 0.0
        seen = self.statistics.get((layer.name, metric.role))
        if seen is None:
            raise PassError(
                f"{self.name}: layer {layer.name} has no statistics of its {metric.role}",
                hint="observe that on clips that reach every layer",
            )
        value = float(metric.of(seen))
        if not math.isfinite(value):
            raise PassError(f"{self.name}: layer {layer.name}: {self.metric} of its {metric.role} is {value}")
        return value
