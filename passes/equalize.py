"""Equalize: layer norms hand some channels on larger, and the weights that read them are as much smaller.

Before::

    n = layer_norm(x, shape, g, b);  y_i = linear(n, W_i, c_i)            nothing else reads n

After, for a positive vector s::

    n = layer_norm(x, shape, g / s, b / s);  y_i = linear(n, W_i * s, c_i)

The function stays the same. A group of weights shares one scale, and those of channels that matter more now have the
finer steps. :func:`norm_factors` chooses s, see ``passes.channel_factors``.

Source: Xiao et al., "SmoothQuant", ICML 2023, equation 4; Lin et al., "AWQ", MLSys 2024, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, fx

from passes import meta, ops
from passes.base import Fact, Program, ProgramPass
from passes.channel_factors import best_factor
from passes.graph_edit import get_tensor, put_buffer
from passes.ops import LayerKind
from passes.scheme import WeightSpec


@dataclass(frozen=True, slots=True)
class Norm:
    """A layer norm with gain and bias whose result only linear layers read.

    Args:
        graph: Name of its graph.
        node: Of the norm.
        readers: Nodes of the layers.
    """

    graph: str
    node: fx.Node
    readers: tuple[fx.Node, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers."""
        return tuple(str(meta.get(reader, meta.LAYER)) for reader in self.readers)

    @property
    def parameters(self) -> tuple[str, str]:
        """Attribute paths of gain and bias."""
        gain, bias = self.node.args[2], self.node.args[3]
        return str(gain.target), str(bias.target)  # type: ignore[union-attr]  # checked by find_norms


@dataclass(frozen=True, slots=True)
class Equalize(ProgramPass):
    """Moves factors between norms and the weights behind them.

    Args:
        factors: Layer name to s (K,), the same for all layers behind one norm.
    """

    factors: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL})

    def run(self, program: Program) -> bool:
        """Replaces gains, biases and weights; other copies of the graphs keep theirs."""
        modified = False
        for norm in find_norms(program):
            factor = self.factors.get(norm.layers[0])
            if factor is None:
                continue
            module = program.graphs[norm.graph]
            for path in norm.parameters:
                put_buffer(module, path, get_tensor(module, path).detach() / factor)
            for reader in norm.readers:
                path = _weight_path(reader)
                put_buffer(module, path, get_tensor(module, path).detach() * factor)
            modified = True
        return modified


def find_norms(program: Program) -> Iterator[Norm]:
    """Every norm that :class:`Equalize` can change."""
    weights = [str(source.target) for _, _, node in program.nodes() if (source := ops.weight_node(node)) is not None]
    for graph, _, node in program.nodes():
        if node.op != "call_function" or node.target != torch.ops.aten.layer_norm.default or len(node.args) < 4:
            continue
        own = all(isinstance(a, fx.Node) and a.op == "get_attr" and len(a.users) == 1 for a in node.args[2:4])
        readers = tuple(node.users)
        if own and readers and all(_is_linear(reader, node) for reader in readers):
            if all(weights.count(_weight_path(reader)) == 1 for reader in readers):
                yield Norm(graph, node, readers)


def norm_factors(program: Program, grams: Mapping[str, Tensor], spec: WeightSpec) -> Mapping[str, Tensor]:
    """Layer name to s: the power that is expected to cost least when the layers are stored as ``spec`` says.

    Args:
        program: Canonical.
        grams: Layer name to the Gram matrix (K, K) of its inputs; a norm with a layer without one stays.
        spec: Integers of groups or rows.
    """
    found: dict[str, Tensor] = {}
    for norm in find_norms(program):
        if any(name not in grams for name in norm.layers):
            continue
        module = program.graphs[norm.graph]
        weights = [get_tensor(module, _weight_path(reader)).detach() for reader in norm.readers]
        pairs = [(weight, grams[name]) for weight, name in zip(weights, norm.layers, strict=True)]
        if (best := best_factor(pairs, spec)) is not None:
            found |= dict.fromkeys(norm.layers, best)
    return found


def _is_linear(reader: fx.Node, norm: fx.Node) -> bool:
    role = ops.role_of(reader)
    named = meta.get(reader, meta.LAYER) is not None and ops.weight_node(reader) is not None
    return role is not None and role.kind is LayerKind.LINEAR and reader.args[0] is norm and named


def _weight_path(reader: fx.Node) -> str:
    source = ops.weight_node(reader)
    return "" if source is None else str(source.target)
