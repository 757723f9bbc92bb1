"""RankSensitivity: how much each layer's output says that the layer matters.

Before: canonical graphs whose quantizable nodes carry their layer's name, and the statistics of a calibration run.
After: ``meta.SENSITIVITY`` on every such node, products of attention included; the same number on all uses of a layer.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from passes import meta
from passes.activation_stats import OUTPUT, Statistics
from passes.base import Fact, Program, ProgramPass
from passes.errors import PassError
from passes.layers import find_layers, nodes_of
from passes.registry import lookup
from passes.sensitivity import REGISTRY


@dataclass(frozen=True, slots=True)
class RankSensitivity(ProgramPass):
    """Writes the sensitivity of every layer.

    Args:
        statistics: Of the layers' outputs; of a weight that is also looked up as an embedding, those of its products.
        metric: Name in the sensitivity registry.
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
        metric = lookup(REGISTRY, self.metric, "sensitivity")
        modified = False
        for layer in find_layers(program):
            output = self.statistics.get((layer.name, OUTPUT))
            if output is None:
                raise PassError(
                    f"{self.name}: layer {layer.name} has no statistics of its output",
                    hint="run the observed graphs on clips that reach every layer",
                )
            value = float(metric(output))
            if not math.isfinite(value):
                raise PassError(f"{self.name}: layer {layer.name}: {self.metric} of its output is {value}")
            for _, node in nodes_of(program, layer):
                modified |= meta.put(node, meta.SENSITIVITY, value)
        return modified
