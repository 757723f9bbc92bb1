"""equalize: the model computes what it did, and its Gram matrices are those of the new inputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from myqasr_fx.audio import select_clips
from myqasr_fx.bundle import QuantizedBundle
from myqasr_fx.errors import OptionError
from myqasr_fx.forced_run import ForcedRun
from myqasr_fx.layout import LAYOUTS
from myqasr_fx.measure import measure
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.prepare import Prepared, prepare
from myqasr_fx.progress import Silent
from myqasr_fx.resolve import resolve_config
from myqasr_fx.sensitivity import forced_clips
from passes.channel_pairs import find_pairs
from passes.graph_edit import put_buffer


def test_the_model_computes_what_it_did(
    make_speech_model: Callable[[str], SpeechModel], captured_once: Callable[..., Prepared], noise: list[np.ndarray]
) -> None:
    prepared = captured_once(make_speech_model("whisper"))
    clips = select_clips(noise[:2], 2)
    weights = {layer.name: prepared.weight(layer) for layer in prepared.layers if layer.weight}
    config = resolve_config(uniform_bits=4, rounding="gptq", granularity="group:32")
    plain = measure(prepared, clips, config, Silent())
    (clip,) = forced_clips(prepared.speech, plain, 1)
    run = ForcedRun(prepared)
    with torch.no_grad():
        expected = run.logits(clip, run.start(clip))
        config = resolve_config(uniform_bits=4, rounding="gptq", granularity="group:32", equalize=True)
        equal = measure(prepared, clips, config, Silent())
        torch.testing.assert_close(run.logits(clip, run.start(clip)), expected, rtol=1e-3, atol=1e-3)
    changed = {
        layer.name for layer in prepared.layers if layer.weight and prepared.weight(layer) is not weights[layer.name]
    }
    assert changed and {name.rpartition(".")[2] for name in changed} <= {"q_proj", "k_proj", "v_proj", "fc1"}
    assert changed == {name for name in plain.grams if not torch.allclose(plain.grams[name], equal.grams[name])}


def make_values_uneven(prepared: Prepared) -> None:
    """Some channels of every attention's values become 100 times as large as others."""
    for layer in prepared.layers:
        if layer.name.endswith("v_proj"):
            module, spread = prepared.program.graphs[layer.uses[0].graph], torch.logspace(-1, 1, layer.rows)
            put_buffer(module, str(layer.weight), prepared.weight(layer).detach() * spread.unsqueeze(-1))


def test_pairs_with_and_without_norms(
    make_speech_model: Callable[[str], SpeechModel], captured_once: Callable[..., Prepared], noise: list[np.ndarray]
) -> None:
    clips, changed = select_clips(noise[:2], 2), {}
    for norms in (False, True):
        prepared = captured_once(make_speech_model("whisper"))
        make_values_uneven(prepared)
        weights = {layer.name: prepared.weight(layer) for layer in prepared.layers if layer.weight}
        options = {"uniform_bits": 4, "rounding": "gptq", "granularity": "group:32"}
        plain = measure(prepared, clips, resolve_config(**options), Silent())
        (clip,) = forced_clips(prepared.speech, plain, 1)
        run = ForcedRun(prepared)
        with torch.no_grad():
            expected = run.logits(clip, run.start(clip))
            config = resolve_config(**options, equalize=norms, equalize_pairs=True)
            equal = measure(prepared, clips, config, Silent())
            torch.testing.assert_close(run.logits(clip, run.start(clip)), expected, rtol=1e-3, atol=1e-3)
        layers = [layer for layer in prepared.layers if layer.weight]
        changed[norms] = {layer.name for layer in layers if prepared.weight(layer) is not weights[layer.name]}
        if not norms:
            assert changed[norms] and {name.rpartition(".")[2] for name in changed[norms]} == {"v_proj", "out_proj"}
            readers = {name for name in plain.grams if not torch.allclose(plain.grams[name], equal.grams[name])}
            assert readers == {name for name in changed[norms] if name.endswith("out_proj")}
    assert changed[True] > changed[False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "does not look at inputs"),
        ({"rounding": "gptq", "activations": "int8", "granularity": "channel"}, "equalize with int8 activations"),
    ],
)
def test_what_it_needs(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        resolve_config("24MB", equalize=True, **options)
    with pytest.raises(OptionError, match=message.replace("equalize with", "equalize pairs with")):
        resolve_config("24MB", equalize_pairs=True, **options)


def test_end_to_end_with_a_budget(compile_model: Callable[..., QuantizedBundle]) -> None:
    """A regression: the first draft of the files, rounded to nearest, was refused as one that cannot be equalized."""
    made = compile_model("whisper", "400KB", rounding="gptq", equalize=True, equalize_pairs=True).manifest
    assert made.config["equalize"] is True and made.config["equalize_pairs"] is True
    assert made.model_bytes <= 400_000


def test_values_that_another_graph_reads_stay(make_speech_model: Callable[[str], SpeechModel]) -> None:
    prepared = prepare(make_speech_model("whisper"), layout=LAYOUTS["sherpa-onnx"])
    writers = {pair.layers[0] for pair in find_pairs(prepared.program)}
    assert any(".encoder.layers" in name and name.endswith("self_attn.v_proj") for name in writers)
    assert not any(name.endswith("encoder_attn.v_proj") for name in writers)
