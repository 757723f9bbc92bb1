r"""Convolutions over time in 8-bit integers beside float ones, on onnxruntime.

    python benchmarks/integer_convolutions.py

``QLinearConv`` gives bytes, so it wants the range of what it gives before it runs; ``ConvInteger`` gives whole sums,
and takes inputs rounded in the range that they have. Random weights and inputs of 10 s, all ways in turns. Writes
``OUT/integer_convolutions.csv``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from rows_file import write_rows

SHAPES = {
    "Wav2Vec2 digits, second": (80, 80, 3, 2, 32_000),
    "Wav2Vec2 base, second": (512, 512, 3, 2, 32_000),
    "Wav2Vec2 base, fifth": (512, 512, 3, 2, 4_000),
    "Wav2Vec2 base, seventh": (512, 512, 2, 2, 1_000),
    "Whisper tiny, first": (80, 384, 3, 1, 1_000),
    "Whisper tiny, second": (384, 384, 3, 2, 1_000),
}
"""Inputs, outputs, kernel, stride, frames."""

STEP = 0.05
"""Of the static ranges of inputs and outputs; their numbers are about normal."""

Weights = tuple[np.ndarray, np.ndarray, np.ndarray]
"""In float, the step of each output, and codes."""

Way = Callable[[int, Weights], tuple[list[onnx.NodeProto], dict[str, np.ndarray]]]
"""Stride and weights to nodes and constants of a convolution of ``x`` to ``y``."""


@dataclass(frozen=True, slots=True)
class Row:
    """One convolution.

    Args:
        name: Whose it is.
        inputs, outputs, kernel, stride, frames: Its shape.
        milliseconds: In float, the median.
        static: ``QLinearConv`` with its conversions, times that.
        dynamic: ``ConvInteger`` with its conversions, times that.
    """

    name: str
    inputs: int
    outputs: int
    kernel: int
    stride: int
    frames: int
    milliseconds: float
    static: float
    dynamic: float


def main() -> None:
    options = _options()
    rows = [measured(name, shape, options) for name, shape in SHAPES.items()]
    options.out.mkdir(parents=True, exist_ok=True)
    write_rows(Row, options.out / "integer_convolutions.csv", rows)
    print("| convolution | float, ms | `QLinearConv` | `ConvInteger` |\n| --- | --- | --- | --- |")
    for row in rows:
        print(f"| {row.name} | {row.milliseconds:.1f} | {row.static:.2f} | {row.dynamic:.2f} |")


def measured(name: str, shape: tuple[int, int, int, int, int], options: argparse.Namespace) -> Row:
    """Every way, in turns; the first round is not counted."""
    inputs, _, _, _, frames = shape
    made = [session(nodes, shape, options.threads) for nodes in (in_float, static, dynamic)]
    sound = np.random.default_rng(1).standard_normal((1, inputs, frames), np.float32)
    taken = np.array([[_seconds(one, sound) for one in made] for _ in range(options.rounds + 1)])[1:]
    ratios = [statistics.median(taken[:, way] / taken[:, 0]) for way in (1, 2)]
    return Row(name, *shape, round(1e3 * statistics.median(taken[:, 0]), 2), *(round(ratio, 3) for ratio in ratios))


def session(way: Way, shape: tuple[int, int, int, int, int], threads: int) -> onnxruntime.InferenceSession:
    """One convolution from float to float."""
    inputs, outputs, kernel, stride, _ = shape
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((outputs, inputs, kernel), np.float32) / np.float32((inputs * kernel) ** 0.5)
    scale = np.abs(weight).max((1, 2)) / 127
    codes = np.round(weight / scale[:, None, None]).astype(np.int8)
    nodes, constants = way(stride, (weight, scale, codes))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size, None])
        for name, size in (("x", inputs), ("y", outputs))
    ]
    held = [numpy_helper.from_array(value, key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, "convolution", ends[:1], ends[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def in_float(stride: int, weights: Weights) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """``Conv``."""
    return [helper.make_node("Conv", ["x", "w"], ["y"], strides=[stride])], {"w": weights[0]}


def static(stride: int, weights: Weights) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """``QLinearConv`` between its conversions."""
    _, scale, codes = weights
    given = ["xq", "s", "z", "w", "ws", "wz", "s", "z"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("QLinearConv", given, ["yq"], strides=[stride]),
        helper.make_node("DequantizeLinear", ["yq", "s", "z"], ["y"]),
    ]
    zeros = {"z": np.array(128, np.uint8), "wz": np.zeros(len(codes), np.int8)}
    return nodes, {"s": np.array(STEP, np.float32), "w": codes, "ws": scale, **zeros}


def dynamic(stride: int, weights: Weights) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """``ConvInteger`` between its conversions."""
    _, scale, codes = weights
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["xq", "s", "z"]),
        helper.make_node("ConvInteger", ["xq", "w", "z"], ["sums"], strides=[stride]),
        helper.make_node("Cast", ["sums"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["s", "ws"], ["steps"]),
        helper.make_node("Mul", ["wide", "steps"], ["y"]),
    ]
    return nodes, {"w": codes, "ws": scale[:, None]}


def _seconds(made: onnxruntime.InferenceSession, sound: np.ndarray) -> float:
    start = time.perf_counter()
    made.run(None, {"x": sound})
    return time.perf_counter() - start


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
