"""The bundle on onnxruntime, its matrix products made visible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from myqasr_fx.export.files import EXTERNAL_BYTES
from myqasr_fx.runtime.ort_runner import OrtRunner
from myqasr_fx.runtime.ort_settings import OrtSettings

Products = Mapping[str, Sequence[str]]
"""Layer name to the values that its blocks of rows compute, in order."""


def show_products(path: Path, target: Path, blocks: Mapping[str, int]) -> Products:
    """Writes a copy of a file that also gives the result of every product with a quantized weight.

    Args:
        path: ONNX file of a bundle.
        target: Where to write.
        blocks: Layer name to its number of blocks; a layer counts when products of all of them are found.
    """
    model = onnx.load(path)
    weights = {node.output[0]: node.name for node in model.graph.node if node.op_type == "DequantizeLinear"}
    found: dict[str, dict[int, str]] = {}
    for node in model.graph.node:
        name = weights.get(node.input[1], "") if node.op_type == "MatMul" else ""
        layer, _, index = name.rpartition(".")
        if layer in blocks and index.isdecimal():
            found.setdefault(layer, {})[int(index)] = node.output[0]
    whole = {
        layer: [parts[i] for i in range(len(parts))] for layer, parts in found.items() if len(parts) == blocks[layer]
    }
    given = {value.name for value in model.graph.output}
    shown = [name for parts in whole.values() for name in parts if name not in given]
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in shown)
    onnx.save(model, target, save_as_external_data=model.ByteSize() > EXTERNAL_BYTES)
    return whole


class ShowingRunner:
    """Runs a copy that :func:`show_products` wrote, and keeps what the layers computed last.

    Args:
        path: The copy.
        settings: Options of the session.
        products: What the copy shows.
    """

    def __init__(self, path: Path, settings: OrtSettings, products: Products) -> None:
        self._runner = OrtRunner(path, settings)
        self._products = products
        self.seen: dict[str, npt.NDArray[np.float32]] = {}

    @property
    def inputs(self) -> frozenset[str]:
        """Names of the values that the graph asks for."""
        return self._runner.inputs

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        """The named outputs for inputs by name."""
        shown = sorted({name for parts in self._products.values() for name in parts} - set(outputs))
        results = self._runner.run(feeds, [*outputs, *shown])
        for layer, parts in self._products.items():
            self.seen[layer] = np.concatenate([results[name] for name in parts], axis=-1)
        return {name: results[name] for name in outputs}
