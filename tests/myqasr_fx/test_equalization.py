"""equalize_norms: the model computes what it did, and its Gram matrices are those of the new inputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from myqasr_fx.audio import select_clips
from myqasr_fx.errors import OptionError
from myqasr_fx.forced_run import ForcedRun
from myqasr_fx.measure import measure
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.prepare import Prepared
from myqasr_fx.progress import Silent
from myqasr_fx.resolve import resolve_config
from myqasr_fx.sensitivity import forced_clips


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
