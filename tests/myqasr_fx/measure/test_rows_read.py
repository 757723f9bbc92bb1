"""Rows against whole activations and gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.measure.gradients import output_gradients
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.measure.rows_read import read_rows
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.process.limits import Limits
from passes.calibration.rows_read import LayerRows
from passes.graph.layers import Layer
from passes.needs import Needs

Heard = Callable[..., tuple[MeasureJob, Measurements]]


def rows(heard: Heard, name: str, *, gradients: bool = False, **changes: object) -> dict[str, LayerRows]:
    job, measurements = heard(name, clips=2, samples=8000)
    limits = changes.pop("limits", job.limits)
    request = replace(job.request, needs=Needs(rows=True, row_gradients=gradients), **changes)
    return dict(read_rows(replace(job, request=request, limits=limits), measurements.observed).layers)


def outputs(layer: Layer, prepared: Prepared, sample: LayerRows) -> list[torch.Tensor]:
    """What the layer makes of the rows, without its bias."""
    if layer.weight is None:
        return [left @ right.T for left, right in zip(sample.inputs, sample.others, strict=True)]
    weights = prepared.weight(layer).reshape(layer.rows, -1).chunk(len(sample.inputs))
    return [inputs @ weight.T for inputs, weight in zip(sample.inputs, weights, strict=True)]


@pytest.mark.parametrize("name", ["whisper", "smallest"])
def test_rows_and_gradients_belong_to_outputs_of_the_run(name: str, heard: Heard) -> None:
    job, measurements = heard(name, clips=2, samples=8000)
    prepared, samples = job.prepared, rows(heard, name, gradients=True)
    assert set(samples) == {layer.name for layer in prepared.layers}
    clip = measurements.observed.forced(prepared.speech)[0]
    uses = {use.layer: use for use in output_gradients(job.run, clip)}
    for layer in prepared.layers:
        sample, use = samples[layer.name], uses[layer.name]
        computed = outputs(layer, prepared, sample)
        assert [tuple(g.shape) for g in sample.gradients] == [tuple(y.shape) for y in computed]
        # Every (output, gradient) of the first row occurs in the run, biases aside.
        first = sample.gradients[0][0]
        found = use.gradient.transpose(1, 2) if layer.kind == "conv1d" else use.gradient
        columns = slice(None) if layer.weight is None else slice(0, len(first))
        among = found.reshape(-1, found.shape[-1])[:, columns]
        if layer.weight is not None:
            assert bool((among == first).all(-1).any()), layer.name
        else:
            assert bool(torch.isin(first, among).all()), layer.name


@pytest.mark.parametrize("name", ["whisper", "smallest"])
def test_every_gradient_is_that_of_its_row(name: str, heard: Heard) -> None:
    """With room for every row of a clip the rows are all of them, in order, and so are the gradients."""
    job, measurements = heard(name, clips=1, samples=8000)
    request = replace(job.request, needs=Needs(rows=True, row_gradients=True))
    everything = replace(job, request=request, limits=Limits(rows=1 << 16, columns=1 << 16))
    samples = read_rows(everything, measurements.observed).layers
    read: dict[str, torch.Tensor] = {}
    (clip,) = measurements.observed.forced(job.prepared.speech)
    uses = {use.layer: use for use in output_gradients(job.run, clip, lambda n, _, args: read.setdefault(n, args[0]))}
    checked = 0
    for layer in job.prepared.layers:
        if layer.kind == "linear" and len(layer.uses) == 1:
            sample = samples[layer.name]
            assert torch.equal(sample.inputs[0], read[layer.name].detach().reshape(-1, layer.cols))
            assert torch.equal(sample.gradients[0], uses[layer.name].gradient.reshape(-1, layer.rows))
            checked += 1
    assert checked > 4


def test_rows_are_bounded_and_seeded(heard: Heard) -> None:
    first, again, other = (rows(heard, "smallest", seed=seed) for seed in (0, 0, 1))
    name = "wav2vec2.feature_extractor.conv_layers.0.conv"
    assert torch.equal(first[name].inputs[0], again[name].inputs[0])
    assert not torch.equal(first[name].inputs[0], other[name].inputs[0])
    assert all(len(part) <= Limits().rows for sample in first.values() for part in sample.inputs)
    assert len(first["wav2vec2.encoder.pos_conv_embed.conv"].inputs) == 4  # groups
    assert not any(sample.gradients for sample in first.values())


def test_fewer_rows_pairs_and_columns_are_kept_where_less_is_allowed(heard: Heard) -> None:
    few = rows(heard, "smallest", gradients=True, limits=Limits(rows=6, pairs=1, columns=5))
    products = {name for name, sample in few.items() if sample.others}
    assert products
    for name, sample in few.items():
        if name in products:
            ((left,), (right,), (gradient,)) = sample.inputs, sample.others, sample.gradients
            assert len(left) <= 6 and len(right) <= 5
            assert gradient.shape == (len(left), len(right))
        else:
            assert {len(part) for part in sample.inputs} == {6}


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"calibration": "mse", "activations": "int8", "granularity": "tensor"}, True),
        ({"calibration": "min_max", "activations": "int8", "granularity": "tensor"}, False),
        ({"calibration": "mse"}, False),
        ({"calibration": "cosine"}, True),
    ],
)
def test_rows_are_read_only_for_a_method_that_looks_at_them(
    options: dict[str, str], wanted: bool, heard: Heard
) -> None:
    job, measurements = heard("smallest", clips=2, samples=8000, **options)
    names = {layer.name for layer in job.prepared.layers} if wanted else set()
    assert set(measurements.rows.layers) == names


@pytest.mark.parametrize(("calibration", "activations"), [("hessian", "int8"), ("cosine", "float")])
def test_bundles_by_search(calibration: str, activations: str, compile_model: Callable[..., QuantizedBundle]) -> None:
    granularity = "tensor" if activations == "int8" else "group:64"
    options = {"activations": activations, "granularity": granularity}
    bundle = compile_model(avg_bits=7.0, calibration=calibration, **options)
    assert bundle.manifest.config["calibration"] == calibration
    assert bundle.manifest.verification.agreement >= 0.99
