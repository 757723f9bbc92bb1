"""The only caller of ``torch.onnx.export``."""

from __future__ import annotations

import onnx_ir as ir
import torch
from torch import fx

from myqasr_fx.capture.export import export_graph
from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.errors import ExportError
from myqasr_fx.export.decomposed import Decomposed
from myqasr_fx.export.placeholders import translations


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
            program = torch.onnx.export(
                Decomposed(export_graph(module, signature)),
                dynamo=True,
                opset_version=opset,
                optimize=True,
                input_names=list(signature.input_names),
                output_names=list(signature.output_names),
                custom_translation_table=translations(),
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise ExportError(
            f"torch.onnx cannot export the graph: {str(error).splitlines()[0]}",
            hint="run with --debug for the exporter's report",
        ) from error
    if program is None:
        raise ExportError("torch.onnx returned no program")
    return program.model
