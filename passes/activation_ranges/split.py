"""Which inputs have two ranges."""

from __future__ import annotations

from torch import fx

from passes.graph import ops
from passes.numbers.twin import Split


def split_of(source: fx.Node) -> Split | None:
    """What would select the range of a value: its size after a softmax, its sign after a GELU, else None.

    Args:
        source: What computes the value, perhaps by arranging what another node computes.
    """
    while source.target in ops.ARRANGEMENTS and source.all_input_nodes:
        source = source.all_input_nodes[0]
    if source.target in ops.SOFTMAXES:
        return Split.SIZE
    return Split.SIGN if source.target in ops.GELUS else None
