"""Sizes and errors of any program beside onnxruntime's own quantizers.

    python benchmarks/any_program.py

Three networks with random weights: a CNN, a transformer encoder, a text classifier. A row each for float32, for
onnxruntime's dynamic 8 bits and its 4-bit products, and for ours at the bytes of those. Errors are relative, of all
outputs on inputs that nobody calibrated on, as onnxruntime runs the files.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

import myqasr_fx

Batch = dict[str, Tensor]


def cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(128, 256, 3, padding=1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 100)),
    )


def encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True), 2)


def classifier() -> nn.Module:
    sizes = {"hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 1024}
    return BertForSequenceClassification(BertConfig(vocab_size=4000, num_labels=5, **sizes))


def words() -> Batch:
    ids = torch.randint(0, 4000, (4, 32))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Batch]]] = {
    "CNN": (cnn, lambda: {"input": torch.randn(8, 3, 32, 32)}),
    "transformer encoder": (encoder, lambda: {"src": torch.randn(4, 32, 256)}),
    "text classifier": (classifier, words),
}


def rows(name: str, folder: Path) -> Iterator[tuple[str, int, float]]:
    """System, bytes and error."""
    torch.manual_seed(0)
    make, batch = NETWORKS[name]
    network = make().eval()
    calibration, unheard = [batch() for _ in range(8)], [batch() for _ in range(4)]
    full = folder / "full.onnx"
    torch.onnx.export(network, (), full, kwargs=calibration[0], dynamo=True, verbose=False, external_data=False)
    expected = _outputs(full, unheard)

    def row(system: str, path: Path) -> tuple[str, int, float]:
        got = _outputs(path, unheard)
        return system, path.stat().st_size, float(np.linalg.norm(got - expected) / np.linalg.norm(expected))

    yield row("float32", full)
    theirs = {8: folder / "dynamic.onnx", 4: folder / "products.onnx"}
    quantize_dynamic(full, theirs[8], weight_type=QuantType.QUInt8)
    products = MatMulNBitsQuantizer(onnx.load(full), bits=4, block_size=32, is_symmetric=False)
    products.process()
    products.model.save_model_to_file(str(theirs[4]))
    for bits, system in ((8, "onnxruntime, dynamic 8 bits"), (4, "onnxruntime, 4-bit products")):
        yield row(system, theirs[bits])
        out = folder / f"ours{bits}.onnx"
        size = theirs[bits].stat().st_size
        made = myqasr_fx.quantize_program(network, calibration, size, out=out)
        yield row("**ours**, no more bytes", made.path)
    small = myqasr_fx.quantize_program(network, calibration, full.stat().st_size // 8, out=folder / "small.onnx")
    yield row("**ours**, an eighth of float32", small.path)


def _outputs(path: Path, batches: list[Batch]) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    found = []
    for batch in batches:
        feeds = {name: value.numpy() for name, value in zip(names, batch.values(), strict=True)}
        found += [result.ravel() for result in session.run(None, feeds)]
    return np.concatenate(found)


def main() -> None:
    print("| network | system | bytes | error |\n| --- | --- | --- | --- |")
    for name in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            for system, size, error in rows(name, Path(folder)):
                print(f"| {name} | {system} | {size:,} | {error:.2%} |", flush=True)


if __name__ == "__main__":
    main()
