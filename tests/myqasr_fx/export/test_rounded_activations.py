"""Quantized activations: integer kernels for every product, and what they cannot take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.errors import ExportError
from myqasr_fx.export.executed import check_executed
from myqasr_fx.export.files import write_program
from passes.base import Program
from passes.lowering.lower_qdq import LowerToQDQ
from passes.numbers.scheme import Granularity, WeightSpec

Run = Callable[..., Any]
Write = Callable[..., Any]
Tokens = Callable[[int], torch.Tensor]
TENSOR, CHANNEL, GROUP = Granularity("tensor"), Granularity("channel"), Granularity("group", 16)
HALF = WeightSpec(16, half=True)


# q, k, v, out, twin, narrow and the tied output; wide has 24 inputs, which low-bit kernels do not take
LINEARS = {"everything": 7, "small": 2}


def error(got: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(got - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize(
    ("bits", "granularity", "symmetric"),
    [(8, CHANNEL, True), (4, TENSOR, False), (1, CHANNEL, False)],
)
def test_quantized_inputs_run_on_integers(
    write: Write, run: Run, bits: int, granularity: Granularity, symmetric: bool, tokens: Tokens
) -> None:
    specs = [WeightSpec(width, granularity, symmetric) for width in (bits, 6)]
    path, expected, _ = write("everything", *specs, activation_bits=8)
    x = tokens(9).numpy()
    (exact, _), _ = run(str(path), tokens=x)
    assert error(exact, expected) < 1e-5
    (_, _), executed = run(str(path), exact=False, tokens=x)
    integer = executed["MatMulIntegerToFloat"] + executed["QLinearMatMul"]
    products = 2 * (LINEARS["everything"] + 1) + 2  # wide, too, in two blocks each; and both products of attention
    assert integer == products and executed["MatMul"] == 0
    assert check_executed(path, {}, products).unfused == ()


def test_other_activation_widths_are_refused(
    tmp_path: Path, rounded: Callable[..., Program], signature: GraphSignature
) -> None:
    lowered = rounded("small", WeightSpec(8, CHANNEL), activation_bits=6)
    LowerToQDQ()(lowered)
    with pytest.raises(ExportError, match="6-bit activations cannot be exported"):
        write_program(lowered, {"model": signature}, 21, {"model": tmp_path / "model.onnx"})
    assert not list(tmp_path.iterdir())


def test_grouped_scales_do_not_go_with_integer_kernels(
    tmp_path: Path, rounded: Callable[..., Program], signature: GraphSignature
) -> None:
    lowered = rounded("small", WeightSpec(8, GROUP), activation_bits=8)
    LowerToQDQ()(lowered)
    with pytest.raises(ExportError, match="one scale a tensor or a channel"):
        write_program(lowered, {"model": signature}, 21, {"model": tmp_path / "model.onnx"})
