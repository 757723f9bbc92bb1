"""The graphs of one model in the form that all later stages take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from myqasr_fx.capture.signature import GraphSignature
from passes.base import Pass, Program
from passes.canonical.canonicalize import Canonicalize
from passes.canonical.decompose_attention import DecomposeAttention
from passes.graph.layers import Layer, weight_of

CANONICALIZING: tuple[Pass, ...] = (Canonicalize(), DecomposeAttention())
"""From captured graphs to those that all later passes take."""


@dataclass(frozen=True, slots=True, eq=False)
class CanonicalGraphs:
    """Canonical graphs, their interfaces and their layers.

    Args:
        program: Canonical graphs with attention as two products.
        signatures: Graph name to inputs and outputs.
        layers: In network order.
    """

    program: Program
    signatures: Mapping[str, GraphSignature]
    layers: tuple[Layer, ...]

    @property
    def num_weights(self) -> int:
        """Weights in all layers."""
        return sum(layer.num_weights for layer in self.layers)

    @property
    def num_parameters(self) -> int:
        """The same with biases, norms and tables of positions; what several graphs share counts once."""
        named = (pair for module in self.program.graphs.values() for pair in module.named_parameters())
        return sum({name: parameter.numel() for name, parameter in named}.values())

    def weight(self, layer: Layer) -> Tensor:
        """The weight of ``layer`` in its own shape.

        Raises:
            PassError: The layer has none.
        """
        return weight_of(self.program.graphs[layer.uses[0].graph], layer)
