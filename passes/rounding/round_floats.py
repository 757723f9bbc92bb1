"""RoundFloats: what stays in float takes float16 values, so that a file can store float16 and lose nothing.

Before: graphs with float32 biases, norms and position tables.
After: the same graphs; those tensors hold float16 values, still as float32. Weights of layers are left to
``RoundWeights``, scalars are not worth it, and a tensor with a value beyond float16 stays whole and is logged. A table
of sinusoids takes the exact values of its formula, which a file can store in its place; with ``tables``, other large
tables take values of 8-bit codes.

The tensors are replaced, not written into: the model that a graph was captured from keeps its own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch

from passes.base import Fact, Program, ProgramPass
from passes.graph.graph_edit import get_tensor, put_buffer
from passes.graph.layers import find_layers
from passes.numbers.row_codes import RowCodes, takes_row_codes
from passes.numbers.sinusoids import is_sinusoids, sinusoids

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RoundFloats(ProgramPass):
    """Rounds every float tensor that is no layer's weight.

    Args:
        tables: Large tables take 8 bits a number, as ``passes.numbers.row_codes`` has them.
    """

    tables: bool = False
    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL})

    def run(self, program: Program) -> bool:
        """Rounds each tensor once; graphs that shared it share the rounded one."""
        rounded: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        modified = False
        for graph, target, tensor in list(leftovers(program)):
            if id(tensor) not in rounded:
                half = self._rounded(tensor)
                if bool((half.isfinite() != tensor.isfinite()).any()):
                    _LOG.warning("%s: %s stays float32: a value lies beyond float16", graph, target)
                    half = tensor
                # The original stays alive beside its id, which would be reused otherwise.
                rounded[id(tensor)] = (tensor, tensor if torch.equal(half, tensor) else half)
            replacement = rounded[id(tensor)][1]
            if replacement is not tensor:
                put_buffer(program.graphs[graph], target, replacement)
                modified = True
        return modified

    def _rounded(self, tensor: torch.Tensor) -> torch.Tensor:
        if is_sinusoids(tensor):
            return sinusoids(*tensor.shape).to(tensor.dtype)
        if self.tables and takes_row_codes(tensor):
            return RowCodes.of(tensor).values().to(tensor.dtype)
        return tensor.detach().half().to(tensor.dtype)


def leftovers(program: Program) -> Iterator[tuple[str, str, torch.Tensor]]:
    """Graph name, attribute path and tensor of every float tensor, of one dimension or more, that is no layer's weight.

    Args:
        program: Canonical.
    """
    weights = {layer.weight for layer in find_layers(program)}
    for graph, module in program.graphs.items():
        for target in dict.fromkeys(str(node.target) for node in module.graph.nodes if node.op == "get_attr"):
            tensor = get_tensor(module, target)
            if target not in weights and tensor.ndim and tensor.is_floating_point():
                yield graph, target, tensor
