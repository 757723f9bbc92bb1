"""An exported program that is not traced once more where nothing is left to decompose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

aten = torch.ops.aten


class Decomposed(ExportedProgram):
    """``program``, sharing its graph and tensors, for ``torch.onnx.export``.

    The exporter runs decompositions, which traces the whole graph anew: half of the time of a translation. Graphs of
    the compiler mostly hold operators alone that it translates as they are, views in particular, and then it need not.
    """

    def __init__(self, program: ExportedProgram) -> None:
        super().__init__(
            program.graph_module,
            program.graph,
            program.graph_signature,
            program.state_dict,
            program.range_constraints,
            program.module_call_graph,
            program.example_inputs,
            program.constants,
            verifiers=program.verifiers,
        )

    def run_decompositions(
        self,
        decomp_table: dict[torch._ops.OperatorBase, Callable[..., Any]] | None = None,
        decompose_custom_triton_ops: bool = False,
    ) -> ExportedProgram:
        """The program itself, where all its operators are functional and none of them is in the table."""
        table = {} if decomp_table is None else decomp_table
        if decomp_table is not None and not any(_is_to_decompose(node, table) for node in self.graph.nodes):
            return self
        made: ExportedProgram = super().run_decompositions(decomp_table, decompose_custom_triton_ops)
        return made


def _is_to_decompose(node: fx.Node, table: dict[Any, Any]) -> bool:
    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return False
    return node.target in table or node.target._schema.is_mutable or _is_composite(node.target)


def _is_composite(target: torch._ops.OpOverload) -> bool:
    """Made of other operators, and none that the exporter is known to translate; tables leave out some of them."""
    return target not in _TRANSLATED and target.has_kernel_for_dispatch_key(
        torch._C.DispatchKey.CompositeImplicitAutograd
    )


_TRANSLATED = frozenset(
    {
        *(aten.reshape.default, aten.contiguous.default, aten.flatten.using_ints, aten.chunk.default),
        *(aten.linear.default, aten.matmul.default, aten.conv1d.default, aten.conv2d.default, aten.pad.default),
        *(aten.layer_norm.default, aten.group_norm.default, aten.softmax.int),
        *(aten.sym_size.int, aten.where.ScalarOther),
    }
)
"""Composites that the exporter translates as they are."""
