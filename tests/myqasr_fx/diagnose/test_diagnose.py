"""diagnose: a bundle that lost one layer on purpose, and one that computes as its weights say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.bundle.bundle import BundleManifest, QuantizedBundle
from myqasr_fx.diagnose.diagnose import diagnose
from myqasr_fx.diagnose.recordings import choose
from myqasr_fx.errors import ModelError, OptionError
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Silent

LOST = "wav2vec2.encoder.layers.0.feed_forward.output_dense"


@pytest.mark.parametrize("name", ["smallest", "whisper-smallest"])
def test_the_layer_that_lost_its_bits_is_found(
    name: str,
    compile_model: Callable[..., QuantizedBundle],
    make_speech_model: Callable[[str], SpeechModel],
    noise: list[np.ndarray],
) -> None:
    lost = LOST if name == "smallest" else "model.decoder.layers.0.fc2"
    keep = (f"{lost}=1", "*q_proj=5", "*k_proj=4", "*v_proj=16", "*=8")
    bundle = compile_model(name, uniform_bits=8, keep=keep)
    speech, clips = make_speech_model(name), choose([samples[:8000] for samples in noise[:2]], bundle.manifest, 2)
    found = diagnose(bundle, speech, clips, None, Silent())
    assert not found.judged
    layers = {layer.name: layer for layer in found.layers}
    assert set(layers) == {layer.name for layer in bundle.manifest.layers}
    assert max(layers.values(), key=lambda layer: layer.kl or 0).name == lost
    assert found.clips == 2
    assert found.bundle_kl == pytest.approx(found.rounding_kl, rel=0.5)
    reached = [layer for layer in found.layers if layer.runtime_db is not None]
    assert len(reached) > 4
    # The files compute what their weights, read back, compute in torch: kernels round activations to 8 bits inside.
    assert min(layer.runtime_db or 0 for layer in reached) > 20
    assert layers[lost].rounding_db is not None
    assert layers[lost].rounding_db < 12
    if found.token is not None:
        assert found.token.margin >= 0 >= found.token.bundle_margin
        assert found.token.layer in layers
    if name == "smallest":
        with pytest.raises(ModelError, match=r"wav2vec2 is not the model of .*called 'smallest': give --model FOLDER"):
            diagnose(bundle, make_speech_model("wav2vec2"), clips, None, Silent())


@pytest.mark.parametrize("name", ["smallest", "whisper-smallest"])
def test_biases_that_make_up_for_weights_are_those_of_the_files(
    name: str,
    compile_model: Callable[..., QuantizedBundle],
    make_speech_model: Callable[[str], SpeechModel],
    noise: list[np.ndarray],
) -> None:
    bundle = compile_model(name, uniform_bits=3, rounding="gptq", sequential=True)
    found = diagnose(bundle, make_speech_model(name), choose(noise, bundle.manifest, 2), None, Silent())
    reached = [layer.runtime_db for layer in found.layers if layer.runtime_db is not None]
    assert reached and min(reached) > 20
    assert found.rounding_kl == pytest.approx(found.bundle_kl, rel=0.2)


@pytest.mark.parametrize("option", ["equalize", "equalize_pairs", "sort_rows"])
def test_layers_that_compute_something_else_are_not_compared(
    option: str,
    manifest: BundleManifest,
    make_speech_model: Callable[[str], SpeechModel],
    noise: list[np.ndarray],
    tmp_path: Path,
) -> None:
    speech = make_speech_model("whisper")
    clips = choose(noise[:1], manifest, 1)
    changed = replace(manifest, fingerprint=speech.fingerprint, config={**manifest.config, option: True})
    with pytest.raises(OptionError, match=f"a bundle of --{option.replace('_', '-')} has no diagnosis"):
        diagnose(QuantizedBundle(tmp_path, changed), speech, clips, None, Silent())


@pytest.mark.parametrize("name", ["smallest", "whisper-smallest"])
@pytest.mark.parametrize("held_out_from", [4, 8])
def test_the_verdict_and_the_diagnosis_have_the_same_figures(
    name: str,
    held_out_from: int,
    compile_model: Callable[..., QuantizedBundle],
    make_speech_model: Callable[[str], SpeechModel],
    noise: list[np.ndarray],
) -> None:
    limits = Limits(held_out_from=held_out_from, spare_bytes=1 << 14)
    bundle = compile_model(name, uniform_bits=3, limits=limits, holdout=0.5)
    verdict = bundle.manifest.acceptance
    assert verdict is not None
    assert (verdict.held_out, verdict.clips) == ((True, 2) if held_out_from == 4 else (False, 4))
    chosen = choose(noise, bundle.manifest, 1)
    assert chosen.judged and len(chosen.clips) == verdict.clips
    found = diagnose(bundle, make_speech_model(name), chosen, None, Silent())
    assert found.judged
    assert (found.clips, found.positions) == (verdict.clips, verdict.positions)
    assert found.agreement == verdict.agreement
    assert found.measures[0] == verdict.measures[0]
    # a graph that was captured anew may sum in another order, which the last of four figures can show
    assert found.bundle_kl == pytest.approx(verdict.kl, rel=2e-3)
    assert found.measures[1].state == verdict.measures[1].state
