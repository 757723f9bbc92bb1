"""Samples against whole activations and gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch

from myqasr_fx.audio import select_clips
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.measure.forced_run import ForcedRun
from myqasr_fx.measure.gradients import output_gradients
from myqasr_fx.measure.observe import Calibration, observe
from myqasr_fx.measure.ranking import forced_clips
from myqasr_fx.measure.rows_read import ROWS, collect_samples
from myqasr_fx.models.prepared import Prepared, prepare
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.progress import Silent
from passes.calibration.rows_read import LayerSample
from passes.graph.layers import Layer

Observed = Callable[[str], tuple[Prepared, Calibration]]


@pytest.fixture(scope="module")
def observed(make_speech_model: Callable[[str], SpeechModel], noise: list[np.ndarray]) -> Observed:
    @cache
    def observe_(name: str) -> tuple[Prepared, Calibration]:
        prepared = prepare(make_speech_model(name))
        clips = select_clips([samples[:8000] for samples in noise[:2]], 2)
        return prepared, observe(prepared, clips, resolve_config(uniform_bits=4), Silent())

    return observe_


def sampled(observed: tuple[Prepared, Calibration], method: str, seed: int = 0) -> dict[str, LayerSample]:
    config = resolve_config(uniform_bits=4, calibration=method, seed=seed, activations="int8", granularity="tensor")
    return dict(collect_samples(*observed, config, Silent()).samples.layers)


def outputs(layer: Layer, prepared: Prepared, sample: LayerSample) -> list[torch.Tensor]:
    """What the layer makes of the sampled rows, without its bias."""
    if layer.weight is None:
        return [left @ right.T for left, right in zip(sample.inputs, sample.others, strict=True)]
    weights = prepared.weight(layer).reshape(layer.rows, -1).chunk(len(sample.inputs))
    return [inputs @ weight.T for inputs, weight in zip(sample.inputs, weights, strict=True)]


@pytest.mark.parametrize("name", ["whisper", "smallest"])
def test_rows_and_gradients_belong_to_outputs_of_the_run(name: str, observed: Observed) -> None:
    prepared, calibration = observed(name)
    samples = sampled((prepared, calibration), "hessian")
    assert set(samples) == {layer.name for layer in prepared.layers}
    run = ForcedRun(prepared)
    clip = forced_clips(prepared.speech, calibration)[0]
    uses = {use.layer: use for use in output_gradients(run, clip)}
    for layer in prepared.layers:
        sample, use = samples[layer.name], uses[layer.name]
        computed = outputs(layer, prepared, sample)
        assert [tuple(g.shape) for g in sample.gradients] == [tuple(y.shape) for y in computed]
        # Every (output, gradient) of the first sampled row occurs in the run, biases aside.
        first = sample.gradients[0][0]
        found = use.gradient.transpose(1, 2) if layer.kind == "conv1d" else use.gradient
        columns = slice(None) if layer.weight is None else slice(0, len(first))
        rows = found.reshape(-1, found.shape[-1])[:, columns]
        if layer.weight is not None:
            assert bool((rows == first).all(-1).any()), layer.name
        else:
            assert bool(torch.isin(first, rows).all()), layer.name


def test_samples_are_bounded_seeded_and_skipped_when_not_needed(observed: Observed) -> None:
    prepared, calibration = observed("smallest")
    first, again, other = (sampled((prepared, calibration), "cosine", seed) for seed in (0, 0, 1))
    name = "wav2vec2.feature_extractor.conv_layers.0.conv"
    assert torch.equal(first[name].inputs[0], again[name].inputs[0])
    assert not torch.equal(first[name].inputs[0], other[name].inputs[0])
    assert all(len(part) <= ROWS for sample in first.values() for part in sample.inputs)
    assert len(first["wav2vec2.encoder.pos_conv_embed.conv"].inputs) == 4  # groups
    assert sampled((prepared, calibration), "mse").keys() == first.keys()
    assert sampled((prepared, calibration), "min_max") == {}
    assert collect_samples(prepared, calibration, resolve_config(uniform_bits=4, calibration="mse"), Silent()) is (
        calibration
    )


@pytest.mark.parametrize(("calibration", "activations"), [("hessian", "int8"), ("cosine", "float")])
def test_bundles_by_search(calibration: str, activations: str, compile_model: Callable[..., QuantizedBundle]) -> None:
    granularity = "tensor" if activations == "int8" else "group:64"
    options = {"activations": activations, "granularity": granularity}
    bundle = compile_model(avg_bits=7.0, calibration=calibration, **options)
    assert bundle.manifest.config["calibration"] == calibration
    assert bundle.manifest.verification.agreement >= 0.99
