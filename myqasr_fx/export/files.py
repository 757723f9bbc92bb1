"""Writes the graphs of a lowered program as ONNX files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import onnx_ir as ir
from onnx.helper import find_min_ir_version_for, make_opsetid
from torch import fx

from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.errors import ExportError
from myqasr_fx.export.cached_frames import read_cached
from myqasr_fx.export.client_inputs import ADAPTERS
from myqasr_fx.export.expand import expand_placeholders
from myqasr_fx.export.finish import declare, store_half, tidy
from myqasr_fx.export.quiet import quiet
from myqasr_fx.export.row_codes import store_rows
from myqasr_fx.export.sinusoids import compute_sinusoids
from myqasr_fx.export.translate import translate
from myqasr_fx.process.collector import collector_off
from passes.base import Program

EXTERNAL_BYTES = 1_900_000_000
"""Size from which tensors go into a file of their own; protobuf ends at 2 GiB."""

_EXTERNAL_TENSOR = 4096  # smaller tensors stay in the graph file, where shape inference looks for them


def write_program(
    program: Program,
    signatures: Mapping[str, GraphSignature],
    opset: int,
    paths: Mapping[str, Path],
    keep: frozenset[str] = frozenset(),
) -> tuple[Path, ...]:
    """Exports every graph of a program lowered by ``LowerToQDQ`` to a file.

    Args:
        program: Lowered graphs.
        signatures: Graph name to its signature.
        opset: Version of the ``ai.onnx`` operators.
        paths: Graph name to its file; folders that are missing are made.
        keep: Names of tensors that stay float32 even where float16 would lose nothing.

    Returns:
        All files written, those of external data included.
    """
    files: list[Path] = []
    for name, module in program.graphs.items():
        files += _write(build_model(module, signatures[name], opset, keep), paths[name])
    return tuple(files)


def build_model(module: fx.GraphModule, signature: GraphSignature, opset: int, keep: frozenset[str]) -> ir.Model:
    """The finished ONNX model of one lowered graph: ``ai.onnx`` operators only."""
    with quiet(), collector_off():
        model = translate(module, signature, opset)
        model.ir_version = find_min_ir_version_for([make_opsetid("", opset)])
        expand_placeholders(model)
        compute_sinusoids(model)
        store_rows(model, keep)
        store_half(model, keep)
        declare(model, signature)
        read_cached(model)
        if signature.adapter is not None:
            ADAPTERS[signature.adapter](model)
        tidy(model)
        model.metadata_props.update(signature.properties)
    foreign = sorted({node.domain for node in model.graph if node.domain not in ("", "ai.onnx")})
    if foreign:
        raise ExportError(f"the exported graph uses operators of {', '.join(foreign)}, expected ai.onnx alone")
    return model


def _write(model: ir.Model, path: Path) -> Iterable[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value is not None)
    if size < EXTERNAL_BYTES:
        ir.save(model, path)
        return [path]
    data = path.with_name(f"{path.name}_data")
    ir.save(model, path, external_data=data.name, size_threshold_bytes=_EXTERNAL_TENSOR)
    return [path, data]


def model_bytes(files: Iterable[Path]) -> int:
    """Bytes of all model files: what the budget counts."""
    return sum(path.stat().st_size for path in files)
