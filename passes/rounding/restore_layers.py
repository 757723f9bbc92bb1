"""RestoreLayers: sensitivities, schemes and codes that are known already, such as those that files hold.

Before: canonical graphs.
After: the annotations that ``RankSensitivity``, ``AllocateBits``, ``Calibrate`` and ``RoundWeights`` leave, and biases
of other values where they are given. Inputs of layers stay float.

Tensors are replaced, not written into: other copies of the graphs keep theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from passes.base import Fact, Program, ProgramPass
from passes.errors import PassError
from passes.graph import meta
from passes.graph.graph_edit import put_buffer
from passes.graph.layers import find_layers, nodes_of
from passes.numbers.quantized_weight import QuantizedBlock, QuantizedWeight
from passes.numbers.scheme import LayerScheme
from passes.rounding.correct_biases import bias_node


@dataclass(frozen=True, slots=True)
class KnownLayer:
    """What is known of one layer.

    Args:
        sensitivity: Larger is more sensitive.
        scheme: Widths of its rows; None for a product of activations.
        weight: Codes; None where there is no scheme, or all of it is float32.
    """

    sensitivity: float
    scheme: LayerScheme | None = None
    weight: QuantizedWeight | None = None


@dataclass(frozen=True, slots=True)
class RestoreLayers(ProgramPass):
    """Annotates every layer.

    Args:
        layers: Layer name to what is known of it; all of them.
        biases: Attribute path of a layer's bias to its values (N,).
    """

    layers: Mapping[str, KnownLayer] = field(default_factory=dict, repr=False)
    biases: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL})
    provides: ClassVar[frozenset[Fact]] = frozenset({Fact.SENSITIVITY, Fact.SCHEME, Fact.QPARAMS, Fact.ROUNDED})

    def run(self, program: Program) -> bool:
        """Annotates all uses of every layer.

        Raises:
            PassError: Nothing is known of a layer.
        """
        modified = False
        for layer in find_layers(program):
            known = self.layers.get(layer.name)
            if known is None:
                raise PassError(f"{self.name}: nothing is known of layer {layer.name}")
            for module, node in nodes_of(program, layer):
                modified |= meta.put(node, meta.SENSITIVITY, known.sensitivity)
                if known.scheme is not None:
                    modified |= meta.put(node, meta.SCHEME, known.scheme)
                if known.weight is not None and meta.put(node, meta.QUANTIZED_WEIGHT, known.weight):
                    modified = True
                    qparams = tuple(b.qparams if isinstance(b, QuantizedBlock) else None for b in known.weight.blocks)
                    meta.put(node, meta.WEIGHT_QPARAMS, qparams)
                bias = bias_node(node)
                if bias is not None and str(bias.target) in self.biases:
                    put_buffer(module, str(bias.target), self.biases[str(bias.target)])
                    modified = True
        return modified
