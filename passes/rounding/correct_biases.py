"""CorrectBiases: biases take up the mean error of rounded weights, at no cost in bytes or time.

Before: ``y = linear(x, W, b)``, and a vector of what the rounded W lacks on average.
After: the same graph with ``b + vector``, in float16 values, in place of b. A layer without a bias stays as it is.

The tensors are replaced, not written into: other copies of the graphs keep theirs.

Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, section 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor, fx

from passes.base import Fact, Program, ProgramPass
from passes.errors import PassError
from passes.graph import ops
from passes.graph.graph_edit import get_tensor, replace_tensor
from passes.graph.layers import find_layers, nodes_of
from passes.graph.ops import LayerKind


@dataclass(frozen=True, slots=True)
class CorrectBiases(ProgramPass):
    """Adds to biases.

    Args:
        errors: Layer name to (N,) what its outputs lack on average.
    """

    errors: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL})

    def run(self, program: Program) -> bool:
        """Replaces the bias of every layer that is named and has one.

        Raises:
            PassError: An error has another shape than the bias.
        """
        modified = False
        for layer in find_layers(program):
            error = self.errors.get(layer.name)
            for module, node in nodes_of(program, layer) if error is not None else ():
                source = bias_node(node)
                if source is None or error is None:
                    continue
                old = get_tensor(module, str(source.target))
                if old.shape != error.shape:
                    got = f"{tuple(error.shape)}, expected {tuple(old.shape)}"
                    raise PassError(f"{self.name}: layer {layer.name}: mean error of shape {got}")
                replace_tensor(module, str(source.target), corrected(old, error))
                modified = True
        return modified


def bias_node(node: fx.Node) -> fx.Node | None:
    """The ``get_attr`` node of the bias of a canonical linear or convolution that nothing else reads; None without."""
    role = ops.role_of(node)
    if role is None or not (role.kind is LayerKind.LINEAR or role.kind.convolves):
        return None
    bias = node.args[2]
    found = isinstance(bias, fx.Node) and bias.op == "get_attr" and len(bias.users) == 1
    return bias if found and isinstance(bias, fx.Node) else None


def corrected(bias: Tensor, error: Tensor) -> Tensor:
    """The new bias (N,): float16 values, like all that stays in float, unless one lies beyond float16."""
    exact = bias + error
    half = exact.half().to(bias.dtype)
    return half if bool(half.isfinite().all()) else exact
