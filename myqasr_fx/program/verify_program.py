"""Compares the file on onnxruntime with the fake-quantized graph in torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, fx

from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.errors import VerificationError
from myqasr_fx.export.executed import ExecutedGraph, check_executed
from myqasr_fx.runtime.ort_runner import OrtRunner
from myqasr_fx.runtime.ort_settings import OrtSettings
from myqasr_fx.verify.fake_quant import dequantized_once
from passes.base import Program

EXACT = OrtSettings(optimize=False)
Outputs = list[np.ndarray]


@dataclass(frozen=True, slots=True)
class ProgramErrors:
    """Relative L2 errors over all outputs of the batches compared.

    Args:
        exact: Of the file with exact kernels, beside the fake-quantized graph.
        shipped: Of the file as a client loads it, beside the same.
        quantization: Of the fake-quantized graph, beside the program as it was given.
        executed: Operators that onnxruntime runs.
    """

    exact: float
    shipped: float
    quantization: float
    executed: ExecutedGraph


def verify_program(
    path: Path,
    signature: GraphSignature,
    graphs: tuple[Program, Program],
    batches: Sequence[tuple[Tensor, ...]],
    bounds: tuple[int, float],
) -> ProgramErrors:
    """Checks a file before it is called done.

    Args:
        path: The file.
        signature: Its inputs and outputs.
        graphs: The program as it was given, canonical; and fake-quantized, which the file must compute.
        batches: To compare on.
        bounds: Products that must run in a low-bit kernel; the largest exact error.

    Raises:
        VerificationError: The file is no valid ONNX, does not run fused, or computes something else.
    """
    fused, most = bounds
    try:
        onnx.checker.check_model(path)
    except onnx.checker.ValidationError as error:
        raise VerificationError(f"{path.name} is no valid ONNX: {error}") from error
    given, fake_quant = graphs
    expected = in_torch(dequantized_once(fake_quant), batches)
    exact = relative_error(_on_onnxruntime(path, signature, EXACT, batches), expected)
    quantization = relative_error(expected, in_torch(given, batches))
    if not exact <= most:
        raise VerificationError(
            f"outputs of onnxruntime differ from torch by {exact:.2e}, expected at most {most:.0e}",
            hint="this is a defect of the export: please report it with the program",
        )
    shipped = relative_error(_on_onnxruntime(path, signature, OrtSettings(), batches), expected)
    return ProgramErrors(exact, shipped, quantization, check_executed(path, {}, fused))


def in_torch(program: Program, batches: Sequence[tuple[Tensor, ...]]) -> Outputs:
    """Outputs of a program of one graph, batch after batch."""
    (module,) = program.graphs.values()
    with torch.no_grad():
        return [result.numpy() for batch in batches for result in _results(module, batch)]


def _results(module: fx.GraphModule, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    made = module(*batch)
    return (made,) if isinstance(made, Tensor) else tuple(made)


def check_capture(given: Program, canonical: Program, batch: tuple[Tensor, ...], most: float) -> None:
    """Checks that the graph that is quantized computes what the program does: all else is compared with that graph.

    Args:
        given: The program as it was exported.
        canonical: The same behind the passes that spell it anew.
        batch: To compare on.
        most: The largest relative error.

    Raises:
        VerificationError: They differ.
    """
    apart = relative_error(in_torch(canonical, [batch]), in_torch(given, [batch]))
    if not apart <= most:
        raise VerificationError(
            f"the captured graph differs from the program by {apart:.2e}, expected at most {most:.0e}",
            hint="this is a defect of the capture: please report it with the program",
        )


def _on_onnxruntime(
    path: Path, signature: GraphSignature, settings: OrtSettings, batches: Sequence[tuple[Tensor, ...]]
) -> Outputs:
    runner = OrtRunner(path, settings)
    found: Outputs = []
    for batch in batches:
        feeds: Mapping[str, np.ndarray] = {
            name: value.numpy() for name, value in zip(signature.input_names, batch, strict=True)
        }
        found += runner.run(feeds, signature.output_names).values()
    return found


def relative_error(got: Outputs, expected: Outputs) -> float:
    """Relative L2 error of all floats together; integers count by their difference too, equal infinities as none."""
    apart = total = 0.0
    for one, other in zip(got, expected, strict=True):
        differs = one != other
        apart += float(np.square(one[differs].astype(np.float64) - other[differs].astype(np.float64)).sum())
        total += float(np.square(other[np.isfinite(other)].astype(np.float64)).sum())
    return float(np.sqrt(apart / max(total, 1e-30)))
