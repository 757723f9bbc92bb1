r"""One width for every layer, 1 to 8 bits: what a weight really takes in the file, what runs, how exact it is.

    python benchmarks/uniform_sweep.py whisper-tiny.en --data ../shared/data/speech/manifest.jsonl \
        --calibrate dataset=librispeech_train_clean_100

``bits_per_weight`` counts the stored tensors of quantized layers (codes, scales, zero points) and the constants that
unpack them, read off the ONNX files; operators are ``graph_bytes``. Writes ``OUT/uniform_sweep_MODEL.csv``.
"""

from __future__ import annotations

import argparse
import csv
import math
import tempfile
from pathlib import Path

import onnx

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.evaluate import parse_filters, read_manifest
from myqasr_fx.models.load import load_model
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.pipeline import quantize

COLUMNS = (
    "bits",
    "symmetric",
    "bytes",
    "bits_per_weight",
    "graph_bytes",
    "exact_error",
    "agreement",
    "session",
    "executed",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True, help="manifest of the calibration set")
    parser.add_argument("--calibrate", nargs="+", required=True, metavar="KEY=VALUE")
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--bits", nargs="+", type=int, default=list(range(1, 9)))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    utterances = read_manifest(options.data, parse_filters(options.calibrate), options.clips)
    speech = load_model(options.model)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for symmetric in (True, False):
            for bits in options.bits:
                config = resolve_config(
                    recipe="paper-file", uniform_bits=bits, symmetric=symmetric, cache=Path(folder) / "cache"
                )
                audio = [utterance.audio for utterance in utterances]
                bundle = quantize(speech, audio, out=Path(folder) / "bundle", config=config, force=True)
                rows.append(measure(bundle, speech, bits, symmetric))
                print(dict(zip(COLUMNS, rows[-1], strict=True)), flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"uniform_sweep_{Path(options.model).name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def measure(bundle: QuantizedBundle, speech: SpeechModel, bits: int, symmetric: bool) -> tuple[object, ...]:
    """One row of the table."""
    manifest = bundle.manifest
    tensors = graph = 0
    for record in manifest.files:
        content = onnx.load(bundle.path / record.name).graph
        for tensor in content.initializer:
            stored = any(part in tensor.name for part in (".codes", ".scale", ".zero_point"))
            constant = tensor.data_type in (onnx.TensorProto.UINT8, onnx.TensorProto.INT64)
            tensors += tensor.ByteSize() if stored or constant else 0
        graph += sum(node.ByteSize() for node in content.node)
    quantized_weights = sum(
        math.prod(layer.shape)
        for layer in manifest.layers
        if layer.bits is not None and layer.executes != "kept in float"
    )
    executed = "; ".join(
        f"{record.name}: {record.executed.get('MatMulNBits', 0)} MatMulNBits, "
        f"{record.executed.get('DequantizeLinear', 0)} DequantizeLinear"
        for record in manifest.files
    )
    checked = manifest.verification
    session = ",".join(f"{key}={value}" for key, value in manifest.session_options.items()) or "default"
    per_weight = round(8 * tensors / quantized_weights, 3)
    exact, agreement = checked.exact_error, checked.agreement
    return (bits, symmetric, manifest.model_bytes, per_weight, graph, exact, agreement, session, executed)


if __name__ == "__main__":
    main()
