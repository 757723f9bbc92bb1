"""Distances against whole models with one weight replaced, and how little is computed again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.layer_alone import Alone, DistanceJob, log_probabilities, measure_distances
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.process.progress import Silent
from myqasr_fx.runtime.context import FULL
from myqasr_fx.runtime.torch_runner import torch_runtime
from passes.graph.ops import LayerKind
from passes.needs import LayerAlone, Role
from passes.numbers.scheme import Granularity, WeightSpec
from passes.sensitivity.distances import DISTANCES

SPEC = WeightSpec(3, Granularity("channel"))


class Counting(TorchDispatchMode):
    """Counts the operators that run."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


@pytest.fixture(scope="module")
def job_of(heard: Callable[..., tuple[MeasureJob, Measurements]]) -> Callable[[str], DistanceJob]:
    def make(name: str) -> DistanceJob:
        job, measurements = heard(name, clips=2, samples=8000)
        clips = replace(measurements.observed, context=FULL).forced(job.prepared.speech)
        return DistanceJob(job.run, clips, Alone(SPEC), {})

    return make


@pytest.mark.parametrize("name", ["whisper", "smallest"])
def test_distances_are_those_of_whole_models(
    name: str, noise: list[np.ndarray], job_of: Callable[[str], DistanceJob]
) -> None:
    job = job_of(name)
    prepared = job.run.prepared
    with Counting() as counting:
        found = measure_distances(job, Silent())
    layers = [layer for layer in prepared.layers if layer.weight is not None]
    assert set(found) == {(layer.name, LayerAlone(metric, 3)) for layer in layers for metric in DISTANCES}
    if name == "whisper":
        # Two convolutions: for the reference, for conv1 and conv2 alone, and on the way on; no layer of the decoder
        # runs the encoder again.
        assert counting.calls["convolution"] == len(job.clips) * (2 + 2 + 2 + 2)

    def logits() -> torch.Tensor:
        runtime = torch_runtime(prepared.speech, prepared.program)
        return torch.from_numpy(runtime.logits(noise[0][:8000], transcript.tokens))

    (transcript,) = torch_runtime(prepared.speech, prepared.program).transcribe_batch([noise[0][:8000]])
    expected = logits()
    for layer in layers[:: len(layers) // 4]:
        weight = prepared.weight(layer)
        kept = weight.clone()
        with torch.no_grad():
            weight.copy_(Alone(SPEC).quantized(weight, layer))
        got = logits()
        with torch.no_grad():
            weight.copy_(kept)
        for metric, distance in DISTANCES.items():
            stats = found[layer.name, LayerAlone(metric, 3)]
            one = distance(log_probabilities(expected), log_probabilities(got))
            assert stats.count == 2 and min(abs(stats.min - one), abs(stats.max - one)) <= 1e-4 * one
            assert one > 0


def test_an_interrupted_measurement_goes_on(job_of: Callable[[str], DistanceJob]) -> None:
    job = job_of("smallest")
    kept: dict[tuple[str, Role], Any] = {}

    class Stop(Exception):
        """The user's patience ends."""

    def save(measured: Any) -> None:
        kept.update(measured)
        if len(kept) == 3 * len(DISTANCES):
            raise Stop

    with pytest.raises(Stop):
        measure_distances(job, Silent(), save)
    seen: list[str] = []
    again = DistanceJob(job.run, job.clips, job.alone, kept)
    resumed = measure_distances(again, Silent(), lambda measured: seen.extend(layer for layer, _ in measured))
    assert not {layer for layer, _ in kept} & set(seen)
    assert resumed == measure_distances(job, Silent())
    assert measure_distances(DistanceJob(job.run, job.clips, job.alone, resumed), Silent(), save) == resumed


def test_inputs_are_quantized_too(heard: Callable[..., tuple[MeasureJob, Measurements]]) -> None:
    """One layer's KL against the model run with rounded weight and rounded input by hand."""
    job, measurements = heard("smallest", clips=2, samples=8000)
    clips = measurements.observed.forced(job.prepared.speech)
    layer = next(layer for layer in job.prepared.layers if layer.kind is LayerKind.LINEAR)
    name = frozenset({layer.name})
    alone = Alone(SPEC, input_bits=4, statistics=measurements.statistics)
    found = measure_distances(DistanceJob(job.run, clips, alone, {}, ("kl",), name), Silent())
    (stats,) = found.values()
    assert list(found) == [(layer.name, LayerAlone("kl", 3, 4))]

    seen = measurements.statistics[layer.name, "input:0"]
    scale = (seen.max - min(seen.min, 0)) / 15

    def by_hand(node: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        if node.name != layer.uses[0].node:
            return args
        zero = round(-min(seen.min, 0) / scale)
        codes = (args[0] / scale + zero).round().clamp(0, 15)
        return ((codes - zero) * scale, *args[1:])

    weight = {str(layer.weight): alone.quantized(job.prepared.weight(layer), layer)}
    values = []
    for clip in clips:
        expected = log_probabilities(job.run.logits(clip, job.run.start(clip)).detach())
        got = log_probabilities(job.run.logits(clip, job.run.start(clip), weight, feed=by_hand).detach())
        values.append(DISTANCES["kl"](expected, got))
    assert stats.mean == pytest.approx(sum(values) / 2, rel=1e-3)
    weights_only = DistanceJob(job.run, clips, Alone(SPEC), {}, ("kl",), name)
    assert stats.mean > 1.05 * next(iter(measure_distances(weights_only, Silent()).values())).mean
