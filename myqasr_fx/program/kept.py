"""What stays in float, and why: nothing is skipped silently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch import fx

from passes.graph.graph_edit import get_tensor
from passes.graph.layers import Layer
from passes.numbers.scheme import HALF_BITS, BitScheme


@dataclass(frozen=True, slots=True)
class KeptFloat:
    """A float tensor of the file.

    Args:
        name: Attribute path.
        op: Operator that reads it.
        bytes: In the program as given, float32.
        reason: Why it has no codes.
    """

    name: str
    op: str
    bytes: int
    reason: str


def kept_in_float(module: fx.GraphModule, layers: Iterable[Layer], scheme: BitScheme) -> tuple[KeptFloat, ...]:
    """Every float tensor without codes, the largest first.

    Args:
        module: Canonical.
        layers: Of the program.
        scheme: Widths of the layers.
    """
    weights = {layer.weight: layer.name for layer in layers if layer.weight is not None}
    found = list(_found(module, weights, scheme))
    return tuple(sorted(found, key=lambda each: (-each.bytes, each.name)))


def _found(module: fx.GraphModule, weights: dict[str, str], scheme: BitScheme) -> Iterator[KeptFloat]:
    readers = {str(node.target): node for node in reversed(list(module.graph.find_nodes(op="get_attr"))) if node.users}
    for name, node in readers.items():
        tensor = get_tensor(module, name)
        if not tensor.is_floating_point():
            continue
        op = _op(next(iter(node.users)))
        reason = f"{op} has no low-bit form" if tensor.dim() > 1 else "a bias or a norm"
        if name in weights:
            if any(block.spec.bits < HALF_BITS for block in scheme.layers[weights[name]].blocks):
                continue
            reason = "its width is that of floats"
        yield KeptFloat(name, op, tensor.nbytes, reason)


def _op(node: fx.Node) -> str:
    return str(node.target).removeprefix("aten.").partition(".")[0]
