"""The one place that lists ATen operators: which are quantizable, where their operands are, which change nothing.

After ``Canonicalize`` every quantizable node has exactly these positional arguments and no keywords::

    aten.linear.default(input, weight, bias | None)
    aten.conv1d.default(input, weight, bias | None, [stride], [padding], [dilation], groups)
    aten.conv2d.default(input, weight, bias | None, [stride] * 2, [padding] * 2, [dilation] * 2, groups)
    aten.embedding.default(weight, indices)
    aten.matmul.default(left, right)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import torch
from torch import fx

aten = torch.ops.aten


class LayerKind(StrEnum):
    """What a quantizable node computes."""

    LINEAR = "linear"
    CONV1D = "conv1d"
    CONV2D = "conv2d"
    EMBEDDING = "embedding"
    MATMUL = "matmul"

    @property
    def convolves(self) -> bool:
        """The weight meets patches of the input."""
        return self in (LayerKind.CONV1D, LayerKind.CONV2D)


@dataclass(frozen=True, slots=True)
class OpRole:
    """Where the operands of a quantizable operator are.

    Args:
        kind: What the operator computes.
        weight: Position of the weight among the arguments; None for a product of two activations.
        activations: Positions of the floating-point activations.
        weight_ndim: Dimensions of the weight; 0 without one. Axis 0 holds the rows.
        arity: Number of arguments in canonical spelling.
    """

    kind: LayerKind
    weight: int | None
    activations: tuple[int, ...]
    weight_ndim: int
    arity: int


QUANTIZABLE: Mapping[Any, OpRole] = MappingProxyType(
    {
        aten.linear.default: OpRole(LayerKind.LINEAR, 1, (0,), 2, 3),
        aten.conv1d.default: OpRole(LayerKind.CONV1D, 1, (0,), 3, 7),
        aten.conv2d.default: OpRole(LayerKind.CONV2D, 1, (0,), 4, 7),
        aten.embedding.default: OpRole(LayerKind.EMBEDDING, 0, (), 2, 2),
        aten.matmul.default: OpRole(LayerKind.MATMUL, None, (0, 1), 0, 2),
    }
)
"""Canonical spelling to its operands."""

ATTENTION = aten.scaled_dot_product_attention.default
"""Fused attention, before ``DecomposeAttention``."""

ALIASES = frozenset({aten.detach.default, aten.detach_.default, aten.alias.default})
"""Operators that return their first argument itself."""

DROPOUTS = frozenset(
    {
        aten.dropout.default,
        aten.dropout_.default,
        aten.alpha_dropout.default,
        aten.feature_dropout.default,
        aten.feature_alpha_dropout.default,
    }
)
"""``(input, p, train)``: the input itself unless ``train``."""

COPIES = frozenset({aten.clone.default, aten.lift_fresh_copy.default, aten._to_copy.default})
"""Operators that may return an equal tensor in memory of its own."""

CASTS = frozenset({aten.to.dtype, aten.to.dtype_layout, aten.to.device, aten.to.other, aten._to_copy.default})
"""Operators that convert type or place; the input's values when both already match."""

RESHAPES = frozenset(
    {
        aten.view.default,
        aten.reshape.default,
        aten._unsafe_view.default,
        aten.expand.default,
        aten.broadcast_to.default,
    }
)
"""Operators that only arrange; the input itself when the shape stays."""

VIEWS = frozenset({aten.view.default, aten._unsafe_view.default})
"""Reshapes that fail on some memory layouts; ``reshape`` is their canonical spelling."""

ARRANGEMENTS = ALIASES | DROPOUTS | RESHAPES | {aten.transpose.int, aten.permute.default, aten.clone.default}
"""Operators that hand on the values of their first argument, arranged anew; dropouts as they are at inference."""

SOFTMAXES = frozenset({aten.softmax.int, aten._softmax.default})
"""Operators whose results lie between 0 and 1."""

GELUS = frozenset({aten.gelu.default})
"""Operators whose results are at least -0.17 and mostly near zero."""

HOMOGENEOUS = ALIASES | DROPOUTS | COPIES | {aten.contiguous.default, aten.relu.default}
"""Operators on each number by itself that hand a positive factor on; dropouts as they are at inference."""

POINTWISE = GELUS | {aten.silu.default, aten.tanh.default, aten.sigmoid.default}
"""Operators on each number by itself that do not."""

ASSERTIONS = frozenset({aten._assert_tensor_metadata.default})
"""Checks of what the exported graph already fixes."""

PRODUCTS = frozenset({aten.matmul.default, aten.mm.default, aten.bmm.default})
"""``(left, right)`` matrix products."""

NOT_CANONICAL = ALIASES | VIEWS | ASSERTIONS | PRODUCTS - QUANTIZABLE.keys()
"""Operators that ``Canonicalize`` leaves nowhere."""


def role_of(node: fx.Node) -> OpRole | None:
    """Operands of a node in canonical spelling, or None when it is not quantizable."""
    return QUANTIZABLE.get(node.target) if node.op == "call_function" else None


def weight_node(node: fx.Node) -> fx.Node | None:
    """The ``get_attr`` node that feeds the weight of a quantizable node, if it has one."""
    role = role_of(node)
    if role is None or role.weight is None:
        return None
    weight = node.args[role.weight]
    return weight if isinstance(weight, fx.Node) and weight.op == "get_attr" else None


def activation_nodes(node: fx.Node) -> tuple[fx.Node, ...]:
    """The nodes that feed the activations of a quantizable node, in the order of its inputs."""
    role = role_of(node)
    positions = () if role is None else role.activations
    return tuple(arg for arg in (node.args[i] for i in positions) if isinstance(arg, fx.Node))


def arguments(node: fx.Node) -> dict[str, Any]:
    """All arguments of an ATen node by the names of its schema, defaults filled in."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return {}
    bound: dict[str, Any] = {}
    for i, argument in enumerate(node.target._schema.arguments):
        default = argument.default_value if argument.has_default_value() else None
        bound[argument.name] = node.args[i] if i < len(node.args) else node.kwargs.get(argument.name, default)
    return bound


def mutates(node: fx.Node) -> bool:
    """True when the operator writes into one of its arguments."""
    return isinstance(node.target, torch._ops.OpOverload) and bool(node.target._schema.is_mutable)
