"""Run by an interpreter that has us and executorch: a CTC model through our passes to an ExecuTorch program.

Usage: python executorch_passes_client.py MODEL RECORDING

The passes stand where ``ExportRecipe.aten_transform_passes`` has them, between ``torch.export`` and the edge dialect:
six bits a weight on average, a scale a row. The program is for the recording's length. Prints versions, what torch and
ExecuTorch hear with the quantized model, and bytes.
"""

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.export import ExportRecipe, export
from executorch.export.recipe import LoweringRecipe
from executorch.runtime import Runtime

from myqasr_fx.audio import load_audio
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import prepare
from passes import (
    AllocateBits,
    Calibrate,
    Canonicalize,
    Granularity,
    InsertObservers,
    LowerToFakeQuant,
    PassManager,
    RankSensitivity,
    RemoveObservers,
    RoundWeights,
    find_layers,
    read_statistics,
    run_passes,
)
from passes.allocation.problem import Request
from passes.allocation.size_rule import PaperSize


class Quantize:
    """What an export recipe takes: the name of a method and its program to another program."""

    def __init__(self, inputs: tuple[torch.Tensor, ...]) -> None:
        self.inputs = inputs
        self.lowered = None

    def __call__(self, name, program):
        observed = PassManager((Canonicalize(), InsertObservers()))(program.module(check_guards=False)).program
        (module,) = observed.graphs.values()
        with torch.no_grad():
            module(*self.inputs)
        weights = sum(layer.num_weights for layer in find_layers(observed))
        size = Request("uniformity", budget=weights * 6 // 8, order="descending")
        steps = (
            RemoveObservers(),
            RankSensitivity(read_statistics(observed), "median"),
            AllocateBits(PaperSize(), size, Granularity("channel")),
            Calibrate("min_max"),
            RoundWeights(),
            LowerToFakeQuant(),
        )
        (self.lowered,) = run_passes(observed, steps).graphs.values()
        return torch.export.export(self.lowered, self.inputs)


def run(program: bytes, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    with tempfile.NamedTemporaryFile(suffix=".pte") as file:
        Path(file.name).write_bytes(program)
        (logits,) = Runtime.get().load_program(file.name).load_method("forward").execute(inputs)
        return logits


def main(model: str, recording: str) -> None:
    speech = load_model(model)
    module = prepare(speech).program.graphs["model"]
    inputs = (torch.from_numpy(speech.features(load_audio(recording).samples)),)
    quantize, partitioner = Quantize(inputs), XnnpackPartitioner()
    lowering = LoweringRecipe(partitioners=[partitioner])
    recipe = ExportRecipe("myqasr", aten_transform_passes=[quantize], lowering_recipe=lowering, strict=False)
    program = export(module, [inputs], recipe).get_pte_buffer()
    plain = to_edge_transform_and_lower(torch.export.export(module, inputs), partitioner=[partitioner])
    logits, expected = run(program, inputs), quantize.lowered(*inputs)
    answer = {
        "versions": {name: version(name) for name in ("torch", "executorch")},
        "texts": [speech.tokenizer.decode(logits[0].argmax(-1))],
        "way": "the passes, in torch",
        "between": [speech.tokenizer.decode(expected[0].argmax(-1))],
        "details": {
            "bytes": len(program),
            "float_bytes": len(plain.to_executorch().buffer),
            "error": float((logits - expected).norm() / expected.norm()),
        },
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
