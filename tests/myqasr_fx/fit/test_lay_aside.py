"""Rounded weights of a large model lie in files, and are what they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from myqasr_fx.fit.fit import rounded
from myqasr_fx.fit.job import FitJob
from myqasr_fx.fit.lay_aside import laid_aside
from myqasr_fx.fit.sequential import round_in_sequence
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.process import mapped_tensors
from myqasr_fx.process.mapped_tensors import is_mapped
from passes.base import Program
from passes.graph import meta
from passes.graph.layers import find_layers, nodes_of
from passes.numbers.quantized_weight import QuantizedBlock, QuantizedWeight

TRELLIS = {"uniform_bits": 2, "format": "trellis", "rounding": "gptq", "sequential": True}
AFFINE = {"uniform_bits": 5}


def weights(program: Program) -> dict[str, QuantizedWeight]:
    """One a layer, the same for all its uses."""
    found = {}
    for layer in find_layers(program):
        uses = [meta.get(node, meta.QUANTIZED_WEIGHT) for _, node in nodes_of(program, layer)]
        assert all(use is uses[0] for use in uses)
        if uses[0] is not None:
            found[layer.name] = uses[0]
    return found


def blocks(weight: QuantizedWeight) -> Iterator[QuantizedBlock]:
    return (block for block in weight.blocks if isinstance(block, QuantizedBlock))


@pytest.mark.parametrize(("name", "options"), [("smallest", TRELLIS), ("whisper-smallest", AFFINE)])
def test_numbers_stay_what_they_are(
    name: str, options: dict[str, object], fit_job: Callable[..., FitJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = fit_job(name, **options)
    in_memory = weights(rounded(job)[0])
    monkeypatch.setattr(mapped_tensors, "LEAST_BYTES", 1)
    monkeypatch.setattr(SpeechModel, "lies_in_files", property(lambda _: True))
    in_files = weights(rounded(job)[0])
    assert in_files.keys() == in_memory.keys()
    seen = 0
    for name, weight in in_files.items():
        for block, other in zip(blocks(weight), blocks(in_memory[name]), strict=True):
            pairs = [(block.codes, other.codes), (block.qparams.scale, other.qparams.scale)]
            for tensor, expected in (*pairs, (block.qparams.zero_point, other.qparams.zero_point)):
                assert is_mapped(tensor) and not is_mapped(expected)
                assert torch.equal(tensor, expected)
            assert (block.trellis is None) is (other.trellis is None)
            if block.trellis is not None and other.trellis is not None:
                np.testing.assert_array_equal(block.trellis.strings, other.trellis.strings)
                seen += 1
    assert bool(seen) is ("format" in options)


def test_a_layer_leaves_memory_before_the_next_is_rounded(
    fit_job: Callable[..., FitJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = fit_job("smallest", uniform_bits=4, rounding="gptq", sequential=True)
    program = rounded(job)[0]
    monkeypatch.setattr(mapped_tensors, "LEAST_BYTES", 1)
    monkeypatch.setattr(SpeechModel, "lies_in_files", property(lambda _: True))
    found = round_in_sequence(job, program).weights
    assert found and all(is_mapped(block.codes) for weight in found.values() for block in blocks(weight))


def test_what_lies_in_a_file_stays_in_it(fit_job: Callable[..., FitJob], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped_tensors, "LEAST_BYTES", 1)
    seen = 0
    for weight in weights(rounded(fit_job("smallest", **TRELLIS))[0]).values():
        once = laid_aside(weight)
        for block, again in zip(blocks(once), blocks(laid_aside(once)), strict=True):
            assert again.codes.data_ptr() == block.codes.data_ptr()
            assert again.qparams.scale.data_ptr() == block.qparams.scale.data_ptr()
            if block.trellis is not None and again.trellis is not None:
                assert again.trellis.strings.ctypes.data == block.trellis.strings.ctypes.data
                seen += 1
    assert seen
