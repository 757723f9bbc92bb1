"""The only caller of ``torch.export``.

A captured GraphModule is plain ``torch.fx``: positional tensor inputs named as in the signature, one tensor or a flat
tuple of tensors out, parameters under the model's own names, no guards, no assertions, no dead code.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch._dynamo.config
import torch.fx.config
from torch import fx, nn

from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.errors import CaptureError
from myqasr_fx.process.collector import collector_off
from myqasr_fx.process.library_error import first_line

_CHECKS = frozenset(
    {
        torch.ops.aten._assert_async.msg,
        torch.ops.aten._assert_scalar.default,
        torch.ops.aten._assert_tensor_metadata.default,
        torch.ops.aten.sym_constrain_range.default,
        torch.ops.aten.sym_constrain_range_for_size.default,
        torch._check,
    }
)


def capture_graph(module: nn.Module, signature: GraphSignature) -> fx.GraphModule:
    """Traces ``module`` into a GraphModule whose parameters are frozen views of the module's own.

    Args:
        module: In eval mode; takes the signature's inputs by position.
        signature: Names and shapes of inputs and outputs.

    Raises:
        CaptureError: The traced graph does not have the signature's inputs and outputs.
    """
    return plain_graph(export_graph(module, signature), signature)


def plain_graph(program: torch.export.ExportedProgram, signature: GraphSignature) -> fx.GraphModule:
    """A GraphModule of its own over the tensors of an exported program, which stays as it is.

    Args:
        program: Its results that are tensors are the signature's outputs.
        signature: Names and shapes of inputs and outputs.

    Raises:
        CaptureError: The program does not have the signature's inputs and outputs.
    """
    graph_module = program.module(check_guards=False)
    graph = graph_module.graph
    graph.set_codegen(fx.graph.CodeGen())
    graph_module._forward_pre_hooks.clear()  # they check the pytree and ranges of the inputs
    _name_inputs(graph, signature)
    _flatten_output(graph, signature)
    graph_module.recompile()
    graph_module.delete_all_unused_submodules()
    _drop_unused_tensors(graph_module)
    _freeze(graph_module)
    graph.lint()
    return graph_module


def export_graph(module: nn.Module, signature: GraphSignature) -> torch.export.ExportedProgram:
    """Exports ``module``, captured or lowered, with the signature's dynamic shapes.

    Pass the result to ``torch.onnx.export(dynamo=True)`` with ``signature.input_names`` and ``signature.output_names``.

    Raises:
        CaptureError: torch cannot export it.
    """
    shapes: tuple[Any, ...] = signature.dynamic_shapes()
    parameters = inspect.signature(module.forward).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        named = len(parameters) - 1
        shapes = (*shapes[:named], shapes[named:])
    # Keeping what is known of each operator costs a third of the time, as sizes are symbols that seldom come again.
    without_cache = torch._dynamo.config.patch(fake_tensor_cache_enabled=False)
    try:
        with torch.no_grad(), collector_off(), without_cache, _without_stack_traces():
            program = torch.export.export(
                module,
                signature.example_args(),
                dynamic_shapes=shapes,
                strict=False,
                # Skewed relative positions reshape in ways whose guards the solver cannot prove for all lengths.
                prefer_deferred_runtime_asserts_over_guards=True,
            )
    except MemoryError:
        raise
    except Exception as error:  # its errors share no base class
        problem = f"torch.export cannot export the model for inputs of any length: {first_line(error)}"
        raise CaptureError(problem, hint="--debug shows where; another release of torch may export it") from error
    simplify(program.graph)
    program.graph_module.recompile()
    return program


@contextmanager
def _without_stack_traces() -> Iterator[None]:
    """Nodes keep no lines of the models' code: nobody reads those, and they take a quarter of the time."""
    before = torch.fx.config.do_not_emit_stack_traces
    torch.fx.config.do_not_emit_stack_traces = True
    try:
        yield
    finally:
        torch.fx.config.do_not_emit_stack_traces = before


def simplify(graph: fx.Graph) -> None:
    """Drops the checks of a graph and what they computed, and lets its views be of any memory layout."""
    _drop_checks(graph)
    _relax_views(graph)


def export_module(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], dynamic_shapes: Any
) -> torch.export.ExportedProgram:
    """Exports a module of somebody else's; arguments as of ``torch.export.export``.

    Raises:
        CaptureError: The module is in training mode, or cannot be exported.
    """
    if module.training:
        hint = "call .eval() first, or give the ExportedProgram itself where the module is one's"
        raise CaptureError("the module is in training mode", hint=hint)
    try:
        with torch.no_grad(), collector_off():
            return torch.export.export(module, args, kwargs, dynamic_shapes=dynamic_shapes)
    except Exception as error:  # whatever the module raises, or torch of it
        raise CaptureError(f"torch.export cannot export the module: {first_line(error)}") from error


def _name_inputs(graph: fx.Graph, signature: GraphSignature) -> None:
    placeholders = graph.find_nodes(op="placeholder")
    if len(placeholders) != len(signature.inputs):
        raise CaptureError(f"graph takes {len(placeholders)} inputs, expected {', '.join(signature.input_names)}")
    for node, spec in zip(placeholders, signature.inputs, strict=True):
        node._rename(spec.identifier)
        node.target = node.name


def _flatten_output(graph: fx.Graph, signature: GraphSignature) -> None:
    (output,) = graph.find_nodes(op="output")
    results = tuple(result for result in output.args[0] if isinstance(result, fx.Node))
    if len(results) != len(signature.outputs):
        raise CaptureError(f"graph gives {len(results)} outputs, expected {', '.join(signature.output_names)}")
    output.args = (results[0] if len(results) == 1 else results,)


def _drop_checks(graph: fx.Graph) -> None:
    for node in list(graph.nodes):
        if node.target in _CHECKS:
            graph.erase_node(node)
    graph.eliminate_dead_code()


def _relax_views(graph: fx.Graph) -> None:
    """Turns ``view`` into ``reshape``: strides change when a pass or an exporter rewrites the producer."""
    for node in graph.find_nodes(op="call_function", target=torch.ops.aten.view.default):
        node.target = torch.ops.aten.reshape.default


def _drop_unused_tensors(module: fx.GraphModule) -> None:
    used = {node.target for node in module.graph.find_nodes(op="get_attr")}
    names = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    names += [name for name, _ in module.named_buffers(remove_duplicate=False)]
    for name in names:
        if name not in used:
            owner, _, attribute = name.rpartition(".")
            delattr(module.get_submodule(owner), attribute)


def _freeze(module: fx.GraphModule) -> None:
    """Replaces parameters by frozen ones of the same storage, tied ones by one object.

    Tensors that require gradients make the exporters pick other attention kernels, with other strides.
    """
    frozen: dict[int, nn.Parameter] = {}
    for owner in module.modules():
        for name, parameter in list(owner._parameters.items()):
            if parameter is not None:
                fresh = nn.Parameter(parameter.detach(), requires_grad=False)
                owner._parameters[name] = frozen.setdefault(id(parameter), fresh)
