"""A captured graph as an exported program, without tracing it again.

Passes keep what is known of each value, so a lowered graph says all that a trace of it would find out.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import fx, nn
from torch.export import ExportedProgram, ModuleCallEntry, ModuleCallSignature
from torch.export.graph_signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from torch.utils._pytree import tree_structure

from passes.graph.fake_values import fake_mode, fill
from passes.graph.graph_edit import get_tensor


def as_program(module: fx.GraphModule) -> ExportedProgram:
    """``module``, which stays as it is, with its tensors as inputs before its own.

    Args:
        module: Captured or lowered: tensors in by position, one tensor or a flat tuple of tensors out, of every node
            but the result a ``val``; those of new operators are filled in.
    """
    graph, state = fx.Graph(), dict[str, torch.Tensor]()
    nodes: dict[fx.Node, fx.Node] = {}
    inputs = list(_lift(module, graph, state, nodes))
    for node in module.graph.nodes:
        if node not in nodes:
            nodes[node] = graph.node_copy(node, nodes.__getitem__)
        if node.op == "placeholder":
            inputs.append(InputSpec(InputKind.USER_INPUT, TensorArgument(nodes[node].name), None))
    (output,) = graph.find_nodes(op="output")
    results = output.args[0] if isinstance(output.args[0], tuple) else output.args
    output.args = (results,)
    outputs = [OutputSpec(OutputKind.USER_OUTPUT, TensorArgument(result.name), None) for result in results]
    mode = fake_mode(graph)
    for node in graph.nodes:
        if "val" not in node.meta:
            fill(node, mode)
    count = len(module.graph.find_nodes(op="placeholder"))
    spec = ModuleCallSignature([], [], tree_structure(((None,) * count, {})), tree_structure(results))
    signature = ExportGraphSignature(inputs, outputs)
    return ExportedProgram({}, graph, signature, state, {}, [ModuleCallEntry("", spec)])


def _lift(
    module: fx.GraphModule, graph: fx.Graph, state: dict[str, torch.Tensor], nodes: dict[fx.Node, fx.Node]
) -> Iterator[InputSpec]:
    """Adds one input for each tensor that is read, however often."""
    lifted: dict[str, fx.Node] = {}
    for node in module.graph.find_nodes(op="get_attr"):
        name = str(node.target)
        if name not in lifted:
            state[name] = get_tensor(module, name)
            lifted[name] = graph.placeholder(f"stored_{name.replace('.', '_')}")
            lifted[name].meta["val"] = torch.empty_like(state[name], device="meta")
            trained = isinstance(state[name], nn.Parameter)
            kind, persistent = (InputKind.PARAMETER, None) if trained else (InputKind.BUFFER, True)
            yield InputSpec(kind, TensorArgument(lifted[name].name), name, persistent)
        nodes[node] = lifted[name]
