"""A base: codes, scales and floats of written files are those of the program that was written."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.errors import BundleError
from myqasr_fx.export.read_weights import read_weights
from myqasr_fx.fit.base import read_base
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from passes.numbers.quantized_weight import QuantizedBlock

CompileModel = Callable[..., QuantizedBundle]
ANYTHING = {"min_agreement": 0.0, "max_kl": 99.0, "max_deletions": 9.0, "max_insertions": 9.0}
ANYTHING |= {"max_loops": 1.0, "max_blanks": 1.0}
"""Bounds that noise in few bits holds."""

FORMATS = (
    {"uniform_bits": 3, "granularity": "group:32"},
    {"uniform_bits": 1, "granularity": "channel", "symmetric": True},
    {"uniform_bits": 8, "granularity": "tensor", "symmetric": True},
    {"uniform_bits": 2, "opset": 25, "keep": ["*.k_proj=16", "lm_head=32"]},
    {"uniform_bits": 3, "format": "trellis", "rounding": "gptq"},
)


@pytest.mark.parametrize("options", FORMATS, ids=lambda options: " ".join(map(str, options.values())))
def test_are_those_that_were_written(
    compile_model: CompileModel,
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
    options: dict[str, object],
) -> None:
    bundle = compile_model(**options, **ANYTHING)
    base = read_base(captured_once(make_speech_model("smallest")), bundle.path, bundle.path / "x")
    expected = read_weights([bundle.path / file.name for file in bundle.manifest.files], bundle.manifest.layers)
    checked = 0
    for layer in bundle.manifest.layers:
        weight = base.layers[layer.name].weight
        for index, block in enumerate(weight.blocks if weight else ()):
            if isinstance(block, QuantizedBlock):
                np.testing.assert_array_equal(block.dequantize().numpy(), expected[layer.name][index])
                checked += 1
            else:
                own = base.prepared.weight(next(x for x in base.prepared.layers if x.name == layer.name))
                torch.testing.assert_close(block.values, own.reshape(block.values.shape), rtol=1e-3, atol=1e-3)
    assert checked == sum(len(blocks) for blocks in expected.values()) > 3
    assert base.biases


def test_a_block_that_is_gone_is_told(
    compile_model: CompileModel,
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
) -> None:
    bundle = compile_model(uniform_bits=4, **ANYTHING)
    path, prepared = bundle.path / "model.onnx", captured_once(make_speech_model("smallest"))
    model, size = onnx.load(path), path.stat().st_size
    tensor = next(t for t in model.graph.initializer if t.name.endswith("q_proj.0.scale"))
    tensor.name = tensor.name.replace("scale", "scalf")
    path.write_bytes(model.SerializeToString())
    assert path.stat().st_size == size
    with pytest.raises(BundleError, match=r"lack block 0 of .*q_proj"):
        read_base(prepared, bundle.path, bundle.path / "x")
