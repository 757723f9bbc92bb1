"""onnxruntime's own 8-bit quantizer, to compare with."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnxruntime


def fold_constants(source: Path, out: Path) -> None:
    """Folds constants with onnxruntime: quantizers of ONNX files only see weights that are operands themselves.

    Args:
        source: Model file.
        out: File to write.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(out)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def quantize_int8(source: Path, out: Path) -> None:
    """Dynamic quantization to 8 bits of every operator that onnxruntime's quantizer knows.

    Args:
        source: Model file whose constants are folded.
        out: File to write.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _without_advice():
        # Unsigned: onnxruntime has no signed kernel for convolutions.
        quantize_dynamic(source, out, weight_type=QuantType.QUInt8)


@contextmanager
def _without_advice() -> Iterator[None]:
    """Drops what the quantizer tells the root logger: to run its preprocessing first, which folding stands for."""
    root = logging.getLogger()
    disabled, root.disabled = root.disabled, True
    try:
        yield
    finally:
        root.disabled = disabled
