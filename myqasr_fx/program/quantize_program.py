"""The compiler in one call for any exported program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from myqasr_fx.bundle.output_file import check_file, write_file
from myqasr_fx.bundle.temporary_folder import temporary_folder
from myqasr_fx.capture.canonical import CANONICALIZING, CanonicalGraphs
from myqasr_fx.capture.export import export_module, plain_graph, simplify
from myqasr_fx.errors import CaptureError, OptionError, ProgramInputError
from myqasr_fx.fit.allocation import check_feasible
from myqasr_fx.fit.manifest import low_bit_products
from myqasr_fx.fit.request import fit_request
from myqasr_fx.options.needs import needs_of
from myqasr_fx.process.limits import Limits
from myqasr_fx.program.fit_program import Written, fit_program, see
from myqasr_fx.program.interface import (
    Batch,
    Interface,
    check_results,
    check_stateless,
    checked,
    interface_of,
    no_batch,
)
from myqasr_fx.program.kept import KeptFloat, kept_in_float
from myqasr_fx.program.options import program_config
from myqasr_fx.program.verify_program import ProgramErrors, check_capture, verify_program
from myqasr_fx.verify.fake_quant import make_reference
from passes.allocation.allocate_bits import read_scheme
from passes.base import Program
from passes.graph.graph_edit import get_tensor
from passes.graph.layers import Layer, find_layers
from passes.manager.run_passes import run_passes
from passes.numbers.scheme import BitScheme

GRAPH = "model"


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedProgram:
    """A program in a budget.

    Args:
        path: The ONNX file.
        model_bytes: Of the file, and of its external data where it has any.
        module: The fake-quantized graph in torch: what the file computes.
        layers: In network order.
        scheme: Their widths.
        kept: What stays in float, the largest first.
        errors: What was measured of the file on onnxruntime.
        batches: How many calibrated.
    """

    path: Path
    model_bytes: int
    module: fx.GraphModule
    layers: tuple[Layer, ...]
    scheme: BitScheme
    kept: tuple[KeptFloat, ...]
    errors: ProgramErrors
    batches: int

    def __repr__(self) -> str:
        """One line."""
        weights = sum(layer.weight is not None for layer in self.layers)
        error = f"{self.errors.quantization:.1%} of the outputs' size"
        return f"QuantizedProgram({str(self.path)!r}, {self.model_bytes:,} bytes, {weights} layers, error {error})"


def quantize_program(
    program: ExportedProgram | nn.Module,
    batches: Iterable[Batch],
    budget: str | int | None = None,
    *,
    out: str | Path,
    dynamic_shapes: Any = None,
    force: bool = False,
    limits: Limits | None = None,
    **options: object,
) -> QuantizedProgram:
    """Quantizes a program to ``budget`` for what ``batches`` show of its inputs, and writes it to ``out``.

    Args:
        program: What ``torch.export.export`` gives, which stays as it is; or a module in eval mode, which is exported
            with the first batch.
        batches: To calibrate on: a tensor, a tuple of inputs, or a mapping of their names each. A few are kept in
            memory to verify the file.
        budget: Bytes of the file, such as ``24MB``; or give ``avg_bits`` or ``uniform_bits``.
        out: The ONNX file.
        dynamic_shapes: As for ``torch.export.export``, for a module.
        force: Replace an existing file.
        limits: Bounds of the work; the usual ones when None.
        options: Of :data:`~myqasr_fx.program.options.KNOWN`, as for ``quantize``.

    Raises:
        MyqasrError: The program or a batch cannot be used, the budget is infeasible, or the file does not verify.
    """
    config, path, bounds = program_config(budget, options), Path(out), limits or Limits()
    check_file(path, force)
    exported, remaining = _exported(program, batches, dynamic_shapes)
    interface = interface_of(exported)
    graphs = _canonical(exported, interface)
    request = fit_request(graphs, config)
    check_feasible(graphs, request)
    kept: list[tuple[Tensor, ...]] = []
    inputs = _remembered(checked(interface, remaining), kept, bounds.verified_clips)
    seen = see(graphs, inputs, needs_of(config), request.dump("observe"))
    given = Program({GRAPH: plain_graph(exported, interface.signature)})
    for batch in kept[:1]:
        check_capture(given, graphs.program, batch, bounds.exact_error)
    with temporary_folder() as folder:
        written = fit_program(graphs, seen, request, folder / path.name, bounds)
        made = _described(graphs, written, kept, bounds)
        for file in reversed(written.files):  # the graph last: it names the others
            write_file(path.with_name(file.name), file.read_bytes(), force=force)
    return replace(made, path=path, batches=seen.batches)


def _described(
    graphs: CanonicalGraphs, written: Written, batches: list[tuple[Tensor, ...]], limits: Limits
) -> QuantizedProgram:
    """What was written, once it is verified."""
    fake_quant = make_reference(written.program).fake_quant
    fused = low_bit_products(written.program, graphs.layers)[GRAPH]
    both, bounds = (graphs.program, fake_quant), (fused, limits.exact_error)
    errors = verify_program(written.files[0], graphs.signatures[GRAPH], both, batches, bounds)
    scheme = read_scheme(written.program)
    return QuantizedProgram(
        path=written.files[0],
        model_bytes=written.model_bytes,
        module=fake_quant.graphs[GRAPH],
        layers=graphs.layers,
        scheme=scheme,
        kept=kept_in_float(graphs.program.graphs[GRAPH], graphs.layers, scheme),
        errors=errors,
        batches=len(batches),
    )


def _exported(
    program: ExportedProgram | nn.Module, batches: Iterable[Batch], dynamic_shapes: Any
) -> tuple[ExportedProgram, Iterable[Batch]]:
    """The program, and all batches again."""
    if isinstance(program, ExportedProgram):
        if dynamic_shapes is not None:
            raise OptionError("dynamic_shapes is for modules: an exported program has its own")
        return program, batches
    if not isinstance(program, nn.Module):
        raise CaptureError(
            f"got {type(program).__name__}, expected an ExportedProgram or an nn.Module",
            hint="an ONNX file is no input: export the model that it was made from",
        )
    rest = iter(batches)
    first = next(rest, None)
    if first is None:
        raise no_batch()
    return export_module(program, *_arguments(first), dynamic_shapes), chain([first], rest)


def _arguments(batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(batch, Mapping):
        return (), dict(batch)
    if not isinstance(batch, (Tensor, Sequence)):
        problem = (
            f"batch 0: got {type(batch).__name__}, expected a tensor, a tuple of inputs, or a mapping of their names"
        )
        raise ProgramInputError(problem)
    return ((batch,) if isinstance(batch, Tensor) else tuple(batch)), {}


def _canonical(exported: ExportedProgram, interface: Interface) -> CanonicalGraphs:
    plain = plain_graph(exported, interface.signature)
    check_stateless(plain)
    check_results(plain, interface.signature)
    simplify(plain.graph)
    program = run_passes(Program({GRAPH: plain}), CANONICALIZING)
    layers = find_layers(program)
    if not any(layer.weight is not None for layer in layers):
        raise CaptureError("the program has no layer to quantize: no linear, convolution or embedding with a weight")
    _check_float32(program.graphs[GRAPH], layers)
    return CanonicalGraphs(program, {GRAPH: interface.signature}, layers)


def _check_float32(module: fx.GraphModule, layers: tuple[Layer, ...]) -> None:
    for layer in layers:
        if layer.weight is not None and (found := get_tensor(module, layer.weight).dtype) is not torch.float32:
            problem = f"layer {layer.name} of the program computes in {str(found).removeprefix('torch.')}"
            raise CaptureError(problem, hint="export it in float32: model.float()")


def _remembered(
    batches: Iterable[tuple[Tensor, ...]], kept: list[tuple[Tensor, ...]], most: int
) -> Iterable[tuple[Tensor, ...]]:
    """The batches, of which the first ones stay in ``kept``."""
    for batch in batches:
        if len(kept) < most:
            kept.append(batch)
        yield batch
