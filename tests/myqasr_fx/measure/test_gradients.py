"""Gradients against those of the Hugging Face networks themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from myqasr_fx.measure.forced_run import ForcedClip, ForcedRun
from myqasr_fx.measure.gradients import (
    gradient_statistics,
    log_probability,
    output_gradient_statistics,
    output_gradients,
    weight_gradients,
)
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.process.progress import Silent
from myqasr_fx.runtime.context import FULL
from passes.graph.layers import nodes_of
from passes.sensitivity import REGISTRY

Heard = Callable[..., tuple[MeasureJob, Measurements]]


def forced(heard: Heard, name: str) -> tuple[Prepared, tuple[ForcedClip, ...]]:
    """A model and two clips with what it wrote for them, in the 30 s that the network wants."""
    job, measurements = heard(name, clips=2, samples=8000)
    return job.prepared, replace(measurements.observed, context=FULL).forced(job.prepared.speech)


def direct_loss(speech: SpeechModel, clip: ForcedClip) -> torch.Tensor:
    """The same log-probability, of the network that the graphs were captured from."""
    if speech.generation is None:
        ((values,),) = clip.inputs.values()
        logits = speech.network(values).logits[0]
    else:
        (features,), (tokens, *_) = clip.inputs.values()
        logits = speech.network(input_features=features, decoder_input_ids=tokens).logits[0, clip.first :]
    return logits.log_softmax(-1)[torch.arange(len(clip.targets)), clip.targets].sum()


@pytest.mark.parametrize("name", ["whisper", "smallest"])
def test_weight_gradients_are_the_network_s(name: str, heard: Heard) -> None:
    prepared, clips = forced(heard, name)
    speech, run = prepared.speech, ForcedRun(prepared)
    found = weight_gradients(run, clips[0])
    assert set(found) == {layer.name for layer in prepared.layers if layer.weight is not None}
    parameters = dict(speech.network.named_parameters())
    checked = {n: parameters[f"{n}.weight"] for n in found if f"{n}.weight" in parameters}
    assert len(checked) > len(found) // 2  # folded weight norms have no parameter of their own
    for parameter in checked.values():
        parameter.requires_grad_()
    try:
        with torch.enable_grad():
            loss = direct_loss(speech, clips[0])
            expected = torch.autograd.grad(loss, list(checked.values()))
    finally:
        speech.network.requires_grad_(False)
    with torch.no_grad():
        assert log_probability(run, clips[0], {}).item() == pytest.approx(loss.item(), rel=1e-5)
    for layer, gradient in zip(checked, expected, strict=True):
        scale = float(gradient.abs().max()) + 1e-6
        assert torch.allclose(found[layer], gradient, rtol=1e-3, atol=1e-3 * scale), layer


def test_output_gradients_explain_those_of_the_weights(heard: Heard) -> None:
    prepared, (clip, _) = forced(heard, "smallest")
    run = ForcedRun(prepared)
    inputs: dict[str, torch.Tensor] = {}
    uses = output_gradients(run, clip, lambda layer, node, args: inputs.setdefault(node.name, args[0].detach()))
    assert {use.layer for use in uses} == {layer.name for layer in prepared.layers}
    assert len(uses) == sum(len(list(nodes_of(prepared.program, layer))) for layer in prepared.layers)
    weights = weight_gradients(run, clip)
    name = "wav2vec2.encoder.layers.0.feed_forward.intermediate_dense"
    (use,) = (use for use in uses if use.layer == name)
    assert use.gradient.shape == use.output.shape
    product = use.gradient.flatten(0, -2).T @ inputs[use.node.name].flatten(0, -2)
    assert torch.allclose(product, weights[name], rtol=1e-3, atol=1e-4 * float(weights[name].abs().max()))


def test_statistics_pool_all_clips(heard: Heard) -> None:
    prepared, clips = forced(heard, "smallest")
    run = ForcedRun(prepared)
    seen = gradient_statistics(run, clips, Silent())
    each = [weight_gradients(run, clip) for clip in clips]
    for layer in prepared.layers:
        if layer.weight is None:
            assert (layer.name, "gradient") not in seen
            continue
        values = torch.stack([gradients[layer.name] for gradients in each]).double()
        fisher = REGISTRY["fisher"].of(seen[layer.name, "gradient"])
        assert fisher == pytest.approx(float(values.square().mean()), rel=1e-4)


def test_output_gradient_is_a_quantile_a_clip(heard: Heard) -> None:
    prepared, clips = forced(heard, "smallest")
    run = ForcedRun(prepared)
    found = output_gradient_statistics(run, clips, Silent())
    assert {name for name, _ in found} == {layer.name for layer in prepared.layers if layer.weight is not None}
    for layer in prepared.layers[:3]:
        quantiles = []
        for clip in clips:
            (use,) = [use for use in output_gradients(run, clip) if use.layer == layer.name]
            quantiles.append(float(use.gradient.reshape(-1).quantile(0.9)))
        seen = found[layer.name, "output gradient"]
        assert seen.count == 2 and [seen.min, seen.max] == pytest.approx(sorted(quantiles), rel=1e-5)
