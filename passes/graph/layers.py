"""Layers of a program: one weight and every node that uses it, or one product of two activations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, fx

from passes.base import Program
from passes.errors import PassError
from passes.graph import meta, ops
from passes.graph.graph_edit import get_tensor
from passes.graph.ops import LayerKind

_MAIN_USE = (LayerKind.LINEAR, LayerKind.CONV1D, LayerKind.CONV2D, LayerKind.EMBEDDING, LayerKind.MATMUL)


@dataclass(frozen=True, slots=True)
class Use:
    """One node that computes with a layer: its graph's name, its name and what it computes."""

    graph: str
    node: str
    kind: LayerKind


@dataclass(frozen=True, slots=True)
class Layer:
    """A unit of quantization, seen as a matrix of ``rows`` output channels by ``cols`` inputs.

    Args:
        name: Unique in the program; the weight's attribute path without ``.weight``.
        kind: Kind of its main use: linear before a convolution before embedding; matmul for a product of activations.
        weight: Attribute path of the weight; None for a product.
        shape: The weight's own shape: (N, K), (C_out, C_in / groups, k …) or (V, D); empty for a product.
        uses: At least one node, in program order.
    """

    name: str
    kind: LayerKind
    weight: str | None
    shape: tuple[int, ...]
    uses: tuple[Use, ...]

    def __post_init__(self) -> None:
        if not self.uses:
            raise PassError(f"layer {self.name}: no node uses it")
        if (self.weight is None) != (self.kind is LayerKind.MATMUL) or (self.weight is None) != (not self.shape):
            raise PassError(f"layer {self.name}: kind {self.kind}, weight {self.weight}, shape {self.shape}")

    @property
    def rows(self) -> int:
        """Output channels; 0 for a product."""
        return self.shape[0] if self.shape else 0

    @property
    def cols(self) -> int:
        """Inputs of one output channel; 0 for a product."""
        return math.prod(self.shape[1:]) if self.shape else 0

    @property
    def num_weights(self) -> int:
        """Number of weights; 0 for a product."""
        return self.rows * self.cols


def find_layers(program: Program) -> tuple[Layer, ...]:
    """Layers of a canonical program in network order: by graph, then by first use.

    Raises:
        PassError: Two nodes of one layer name read different weights, or the graph is lowered already.
    """
    uses: dict[str, list[Use]] = {}
    weights: dict[str, tuple[str | None, tuple[int, ...]]] = {}
    for graph, module, node in program.nodes():
        name, role = meta.get(node, meta.LAYER), ops.role_of(node)
        if name is None or role is None:
            continue
        source = ops.weight_node(node)
        if source is None and role.weight is not None:
            problem = f"layer {name}: the weight of node {node.name} of {graph} is no attribute"
            raise PassError(problem, hint="look for layers before the graph is lowered")
        path = None if source is None else str(source.target)
        shape = () if path is None else tuple(get_tensor(module, path).shape)
        if weights.setdefault(name, (path, shape)) != (path, shape):
            raise PassError(f"layer {name}: node {node.name} of {graph} reads {path}, expected {weights[name][0]}")
        uses.setdefault(name, []).append(Use(graph, node.name, role.kind))
    return tuple(
        Layer(name, min((use.kind for use in found), key=_MAIN_USE.index), *weights[name], tuple(found))
        for name, found in uses.items()
    )


def weight_of(module: fx.GraphModule, layer: Layer) -> Tensor:
    """The weight of ``layer`` in its own shape.

    Raises:
        PassError: The layer has no weight, or ``module`` does not hold it.
    """
    if layer.weight is None:
        raise PassError(f"layer {layer.name}: a product of activations has no weight")
    return get_tensor(module, layer.weight)


def bias_of(module: fx.GraphModule, node: fx.Node) -> Tensor | None:
    """The bias (N,) of a canonical linear or convolution; None without one."""
    role = ops.role_of(node)
    if role is None or not (role.kind is LayerKind.LINEAR or role.kind.convolves):
        return None
    bias = node.args[2]
    return get_tensor(module, str(bias.target)) if isinstance(bias, fx.Node) and bias.op == "get_attr" else None


def nodes_of(program: Program, layer: Layer) -> Iterator[tuple[fx.GraphModule, fx.Node]]:
    """Module and node of every use of ``layer``.

    Raises:
        PassError: A node is gone.
    """
    for use in layer.uses:
        module = program.graphs[use.graph]
        node = next((n for n in module.graph.nodes if n.name == use.node), None)
        if node is None:
            raise PassError(f"layer {layer.name}: node {use.node} is no longer in graph {use.graph}")
        yield module, node
