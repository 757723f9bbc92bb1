"""``ReplaceParameters``: other values for parameters of the same names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter

from passes.base import Fact, Program, ProgramPass
from passes.canonical.weights import put_parameter
from passes.errors import PassError
from passes.graph.graph_edit import get_tensor


@dataclass(frozen=True, eq=False)
class ReplaceParameters(ProgramPass):
    """Puts tensors in the place of those that graphs read; a tensor that several graphs read stays one.

    Args:
        tensors: Attribute path to the values, of the shape and type of those that are there.
    """

    tensors: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL})

    def run(self, program: Program) -> bool:
        """Replaces them in every graph.

        Raises:
            PassError: No graph reads a tensor of that name, or one of another shape or type.
        """
        frozen = {name: Parameter(tensor.detach(), requires_grad=False) for name, tensor in self.tensors.items()}
        missing, modified = set(frozen), False
        for module in program.graphs.values():
            for name in sorted({str(node.target) for node in module.graph.find_nodes(op="get_attr")} & frozen.keys()):
                missing.discard(name)
                modified |= _replaced(get_tensor(module, name), frozen[name], name)
                put_parameter(module, name, frozen[name])
        if missing:
            raise PassError(f"no graph reads {min(missing)}")
        return modified


def _replaced(before: Tensor, after: Tensor, name: str) -> bool:
    if (before.shape, before.dtype) != (after.shape, after.dtype):
        raise PassError(f"{name}: {tuple(after.shape)} of {after.dtype} for {tuple(before.shape)} of {before.dtype}")
    return not torch.equal(before, after)
