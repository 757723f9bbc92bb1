from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from myqasr_fx.audio import select_clips
from myqasr_fx.fit.fit import fit_in_torch
from myqasr_fx.measure.observe import observe
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.progress import Silent
from myqasr_fx.verify.fake_quant import dequantized_once, make_reference


def test_weights_dequantized_once_give_the_same_bits(
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
    noise: list[np.ndarray],
) -> None:
    prepared = captured_once(make_speech_model("smallest"))
    config = resolve_config(uniform_bits=5, activations="int8", granularity="channel")
    calibration = observe(prepared, select_clips(noise, 4), config, Silent())
    reference = make_reference(fit_in_torch(prepared, calibration, config))
    samples = torch.from_numpy(noise[0])[None]
    assert reference.float_activations is not None
    for program in (reference.fake_quant, reference.float_activations):
        (graph,), (folded,) = program.graphs.values(), dequantized_once(program).graphs.values()
        nodes = len(graph.graph.nodes)
        with torch.no_grad():
            assert torch.equal(folded(samples), graph(samples))
        assert len(folded.graph.nodes) < nodes == len(graph.graph.nodes)
