"""Run by an interpreter that has us, torchao and executorch: a CTC model through PT2E to an ExecuTorch program.

Usage: python executorch_client.py MODEL RECORDING

Feed-forward layers get 4 bits, all others 8, with a scale a row and no zero point: what XNNPACK knows. The program is
for the recording's length. Prints versions, what torch and ExecuTorch hear with the quantized model, and bytes.
"""

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import executorch.kernels.quantized  # registers the operators that XNNPACK leaves  # noqa: F401
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from myqasr_fx.audio import load_audio
from myqasr_fx.integrations.pt2e.quantizer import MyQASRQuantizer
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import prepare
from passes.numbers.scheme import BitScheme, Granularity, LayerScheme, RowBlock, WeightSpec


def main(model: str, recording: str) -> None:
    speech = load_model(model)
    prepared = prepare(speech)
    layers = {}
    for layer in prepared.layers:
        if layer.weight is not None:
            spec = WeightSpec(4 if "feed_forward" in layer.name else 8, Granularity("channel"), symmetric=True)
            layers[layer.name] = LayerScheme(layer.name, (RowBlock(0, layer.rows, spec),))
    quantizer, module = MyQASRQuantizer(BitScheme(layers)), prepared.program.graphs["model"]
    widths = [found.bits for found in quantizer.coverage(module)]
    inputs = (torch.from_numpy(speech.features(load_audio(recording).samples)),)
    observed = prepare_pt2e(module, quantizer)
    observed(*inputs)
    quantized = convert_pt2e(observed)
    lowered = to_edge_transform_and_lower(torch.export.export(quantized, inputs), partitioner=[XnnpackPartitioner()])
    program = lowered.to_executorch().buffer
    with tempfile.NamedTemporaryFile(suffix=".pte") as file:
        Path(file.name).write_bytes(program)
        (logits,) = Runtime.get().load_program(file.name).load_method("forward").execute(inputs)
    expected = quantized(*inputs)
    answer = {
        "versions": {name: version(name) for name in ("torch", "torchao", "executorch")},
        "texts": [speech.tokenizer.decode(logits[0].argmax(-1))],
        "way": "torchao's PT2E, in torch",
        "between": [speech.tokenizer.decode(expected[0].argmax(-1))],
        "details": {
            "widths": {bits: widths.count(bits) for bits in sorted(set(widths))},
            "bytes": len(program),
            "error": float((logits - expected).norm() / expected.norm()),
        },
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
