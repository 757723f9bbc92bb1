"""What of a scheme torchao's PT2E flow can express, layer by layer, and why not the rest. Needs no torchao.

A weight gets one quantize operator there: integer codes with an integer zero point, in per-tensor, per-channel or
blockwise granularity.

===================== =================================================================================================
expressed             2 to 8 bits; scales per tensor, per row, and per group of a linear or an embedding
stays in float        1 bit (its two levels have no integer zero point), 9 to 15 bits and float16 (no such codes),
                      layers whose rows have several widths, groups that run across a convolution's kernel
===================== =================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import fx

from passes.graph.graph_edit import get_tensor
from passes.graph.ops import weight_node
from passes.numbers.scheme import MAX_PACKED_BITS, BitScheme, LayerScheme

_MATRIX = 2


@dataclass(frozen=True, slots=True)
class Coverage:
    """One layer of a scheme in an exported model.

    Args:
        layer: Its name.
        nodes: Names of the nodes that use its weight.
        bits: Width that the model gets; 32 when the layer stays in float.
        reason: Why it stays in float; None when the scheme is expressed.
    """

    layer: str
    nodes: tuple[str, ...]
    bits: int
    reason: str | None = None


def coverage(module: fx.GraphModule, scheme: BitScheme) -> tuple[Coverage, ...]:
    """What becomes of each layer of ``scheme``, in its order.

    Args:
        module: ``export(…).module()`` of ``torch.export``, whose weights have the names that they had in the network.
        scheme: Layer name, which is the weight's path without ``.weight``, to widths.
    """
    used: dict[str, list[str]] = {}
    shapes: dict[str, torch.Size] = {}
    for node, source in weight_edges(module):
        name = layer_of(source)
        used.setdefault(name, []).append(node.name)
        shapes[name] = get_tensor(module, str(source.target)).shape
    found = []
    for name, layer in scheme.layers.items():
        reason = why_not(layer, len(shapes[name])) if name in used else "no node of the model uses it as a weight"
        bits = 32 if reason else layer.blocks[0].spec.bits
        found.append(Coverage(name, tuple(used.get(name, ())), bits, reason))
    return tuple(found)


def weight_edges(module: fx.GraphModule) -> Iterator[tuple[fx.Node, fx.Node]]:
    """Nodes that compute with a weight, and the nodes that hold it."""
    for node in module.graph.nodes:
        source = weight_node(node)
        if source is not None:
            yield node, source


def layer_of(source: fx.Node) -> str:
    """Layer of the weight that ``source`` holds."""
    return str(source.target).removesuffix(".weight")


def why_not(layer: LayerScheme, ndim: int) -> str | None:
    """Why the weight stays in float; None when PT2E can express its scheme.

    Args:
        layer: Its scheme.
        ndim: Dimensions of the weight itself.
    """
    specs = {block.spec for block in layer.blocks}
    if len(specs) > 1:
        return f"its rows have {len(specs)} different specs, and a weight gets one"
    (spec,) = specs
    if spec.is_float:
        return layer.reason or f"its scheme keeps it at {spec.bits} bits"
    if spec.bits == 1:
        return "the two levels of one bit have no integer zero point"
    if spec.bits > MAX_PACKED_BITS:
        return f"there are no codes of {spec.bits} bits"
    if spec.granularity.kind == "group" and ndim != _MATRIX:
        return "a group runs across the kernel of a convolution; granularity channel can be expressed"
    return None
