"""probe_damage: one pass for all layers, near the divergence that running the model with each of them rounded gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.layer_alone import Alone, DistanceJob, measure_distances
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.measure.probed_damage import probe_damage
from myqasr_fx.process.progress import Silent
from passes.needs import LayerAlone
from passes.numbers.scheme import Granularity, WeightSpec

Heard = Callable[..., tuple[MeasureJob, Measurements]]


@pytest.mark.parametrize("name", ["whisper", "wav2vec2"])
def test_it_is_near_the_divergence_of_each_layer_alone(name: str, heard: Heard) -> None:
    job, measurements = heard(name, samples=8000)
    prepared, run, clips = job.prepared, job.run, measurements.observed.forced(job.prepared.speech)
    alone = Alone(WeightSpec(5, Granularity("channel")))
    layers = [layer for layer in prepared.layers if layer.weight is not None and layer.name in run.first_steps()]
    rounded = {layer.name: alone.rounded(prepared.weight(layer), layer) for layer in layers}
    found = probe_damage(run, clips * 4, rounded, 0, Silent())
    assert set(found) == set(rounded) and {stats.count for stats in found.values()} == {4 * len(clips)}
    exact = measure_distances(DistanceJob(run, clips, alone, {}, ("kl",)), Silent())
    ratios = [found[name].mean / exact[name, LayerAlone("kl", 5)].mean for name in found]
    assert 0.5 < float(torch.tensor(ratios).log().median().exp()) < 2, "the right size"
    logs = torch.tensor([[found[name].mean, exact[name, LayerAlone("kl", 5)].mean] for name in found]).log().T
    assert float(torch.corrcoef(logs)[0, 1]) > 0.8
    again = probe_damage(run, clips * 4, rounded, 0, Silent())
    assert again == found


def test_layers_that_are_not_named_are_passed_over(heard: Heard) -> None:
    job, measurements = heard("whisper", samples=8000)
    clips = measurements.observed.forced(job.prepared.speech, (0,))
    assert probe_damage(job.run, clips, {}, 0, Silent()) == {}
