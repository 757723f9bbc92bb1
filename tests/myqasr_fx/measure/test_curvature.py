"""measure_curvature: every layer, every family, and a prediction that small errors confirm."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from myqasr_fx.measure.curvature import grams_of, measure_curvature
from myqasr_fx.measure.forced_run import ForcedClip, ForcedRun
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.process.progress import Silent
from passes.damage.curvature import Curvatures
from passes.graph.ops import LayerKind

Forced = Callable[[str], tuple[ForcedRun, tuple[ForcedClip, ...]]]


@pytest.fixture(scope="module")
def forced(heard: Callable[..., tuple[MeasureJob, Measurements]]) -> Forced:
    def make(name: str) -> tuple[ForcedRun, tuple[ForcedClip, ...]]:
        job, measurements = heard(name, samples=8000)
        return job.run, measurements.observed.forced(job.prepared.speech)

    return make


def curvature_of(run: ForcedRun, clips: tuple[ForcedClip, ...]) -> Curvatures:
    return measure_curvature(run, dict(enumerate(clips)), (tuple(range(len(clips))), ()), (0, Silent()))[0]


@pytest.mark.parametrize("name", ["whisper", "wav2vec2"])
def test_every_layer_has_a_curvature_of_its_shape(forced: Forced, name: str) -> None:
    run, clips = forced(name)
    found = curvature_of(run, clips)
    layers = {layer.name: layer for layer in run.prepared.layers if layer.weight is not None}
    assert set(found) == set(layers)
    for layer_name, curvature in found.items():
        layer = layers[layer_name]
        assert curvature.rows.shape == (layer.rows,)
        assert curvature.gram.shape in ((layer.cols, layer.cols), (1, 1))
        assert float(curvature.rows.sum()) > 0 or curvature.lookups is not None
        assert (curvature.lookups is not None) == (LayerKind.EMBEDDING in {use.kind for use in layer.uses})
    square = {name for name, curvature in found.items() if curvature.gram.shape != (1, 1)}
    assert set(grams_of(found)) == square
    again = curvature_of(run, clips)
    assert all(torch.equal(found[name].rows, again[name].rows) for name in found)
    assert not any(parameter.requires_grad for parameter in run.prepared.speech.network.parameters()) or all(
        parameter.grad is None for parameter in run.prepared.speech.network.parameters()
    )


def test_the_prediction_is_the_divergence_of_a_small_error(forced: Forced) -> None:
    """The projection to the logits reads each position once: rows apart, nothing but the probes is approximate."""
    run, clips = forced("whisper")
    found = curvature_of(run, clips * 8)
    layer = next(layer for layer in run.prepared.layers if layer.name.endswith("decoder.layers.0.fc2"))
    weight = run.prepared.weight(layer).detach()
    error = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)) * 0.02 * weight.std()
    measured, positions = 0.0, 0
    with torch.no_grad():
        for clip in clips:
            pair = [{}, {str(layer.weight): weight + error}]
            p, q = (run.logits(clip, run.start(clip), weights).double().log_softmax(-1) for weights in pair)
            measured += float((p.exp() * (p - q)).sum())
            positions += len(p)
    curvature = found[layer.name]
    predicted = 0.5 * float((curvature.rows * (error @ curvature.gram * error).sum(-1)).sum())
    assert measured / positions == pytest.approx(predicted, rel=1.0), "the right order of magnitude"
