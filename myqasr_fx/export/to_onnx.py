"""The only caller of torch's exporter to ONNX.

``torch.onnx.export`` would do, at five times the time: it builds its table of operators at every call, and traces and
interprets again what is plain already. The steps it is made of are private; ``setup.py`` holds the release of torch.
"""

from __future__ import annotations

from functools import cache

import onnx_ir as ir
import onnxscript.version_converter
import torch
from torch import fx
from torch.export import ExportedProgram
from torch.onnx._internal.exporter import _core, _decomp, _ir_passes
from torch.onnx._internal.exporter._registration import ONNXRegistry

from myqasr_fx.capture.export import export_graph
from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.errors import ExportError
from myqasr_fx.export.as_program import as_program
from myqasr_fx.export.is_plain import is_decomposed, is_promoted
from myqasr_fx.export.placeholders import translations
from myqasr_fx.process.library_error import first_line


def to_onnx(module: fx.GraphModule, signature: GraphSignature, opset: int) -> ir.Model:
    """Translates a graph, lowered or not, to ONNX with the signature's names.

    Args:
        module: A graph whose placeholders follow ``signature``.
        signature: Names, types and dynamic dimensions.
        opset: Version of the ``ai.onnx`` operators, 21 to 25.

    Returns:
        The model, its ``myqasr`` nodes not yet expanded.

    Raises:
        ExportError: torch cannot translate the graph.
    """
    try:
        with torch.no_grad():
            registry = _registry(opset)
            program = _prepared(module, signature, registry)
            made = _core._exported_program_to_onnx_program(program, registry=registry)
            onnxscript.version_converter.convert_version(made.model, opset, fallback=True)
            made.optimize()
    except Exception as error:  # of any operator's translation
        raise ExportError(
            f"torch.onnx cannot export the graph: {first_line(error)}",
            hint="run with --debug for the exporter's report",
        ) from error
    _ir_passes.rename_inputs(made.model, list(signature.input_names))
    _ir_passes.rename_outputs(made.model, list(signature.output_names))
    return made.model


def _prepared(module: fx.GraphModule, signature: GraphSignature, registry: ONNXRegistry) -> ExportedProgram:
    """As it stands where nothing is to be rewritten; else decomposed, its types promoted."""
    if is_decomposed(module.graph, *_operators(registry)):
        program = as_program(module)
        if is_promoted(program.graph):
            return program
    return _core._prepare_exported_program_for_export(export_graph(module, signature), registry=registry)


@cache
def _registry(opset: int) -> ONNXRegistry:
    """What torch's operators and ours are translated to."""
    registry = ONNXRegistry.from_torchlib(opset_version=opset)
    for target, function in translations().items():
        registry.register_op(target, function)
    return registry


@cache
def _operators(registry: ONNXRegistry) -> tuple[frozenset[object], frozenset[object]]:
    """Those that have a translation, and those that have none and are made of others."""
    translated = set(_decomp.get_onnx_implemented_overloads(registry))
    return frozenset(translated), frozenset(_decomp.create_onnx_friendly_decomposition_table(translated))
