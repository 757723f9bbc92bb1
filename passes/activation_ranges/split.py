"""Which inputs have two ranges: what a softmax leaves for a product of activations, and a GELU for a linear layer.

Source: Yuan et al., "PTQ4ViT", ECCV 2022, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from types import MappingProxyType

from torch import fx

from passes.graph import ops
from passes.graph.ops import LayerKind
from passes.numbers.twin import Split

_MAKERS: Mapping[LayerKind, tuple[Set[object], Split]] = MappingProxyType(
    {LayerKind.MATMUL: (ops.SOFTMAXES, Split.SIZE), LayerKind.LINEAR: (ops.GELUS, Split.SIGN)}
)
"""What may make an input of two ranges, by who reads it, and what then selects one."""


def split_of(source: fx.Node, reader: LayerKind) -> Split | None:
    """What would select the range of an input; None where one range serves, as for every convolution.

    Args:
        source: What computes the input, perhaps by arranging what another node computes.
        reader: Kind of the layer that reads it.
    """
    while source.target in ops.ARRANGEMENTS and source.all_input_nodes:
        source = source.all_input_nodes[0]
    makers, split = _MAKERS.get(reader, (frozenset(), None))
    return split if source.target in makers else None
