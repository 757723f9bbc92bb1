"""Metrics that need more than the observers see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.measure import ranking
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measure import measure
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.measure.ranking import measure_role
from myqasr_fx.measure.store import Store
from passes.needs import NOTHING, LayerAlone, Role
from passes.observe.activation_stats import GRADIENT, OUTPUT_GRADIENT

Heard = Callable[..., tuple[MeasureJob, Measurements]]


def test_a_bundle_by_distance(compile_model: Callable[..., QuantizedBundle]) -> None:
    bundle = compile_model(avg_bits=6.0, sensitivity="kl@4")
    assert bundle.manifest.config["sensitivity"] == "kl@4"
    values = {layer.name: layer.sensitivity for layer in bundle.manifest.layers if layer.op != "matmul"}
    assert len(set(values.values())) == len(values) > 4
    assert all(layer.sensitivity == 0 for layer in bundle.manifest.layers if layer.op == "matmul")


@pytest.mark.parametrize(
    ("role", "measuring"),
    [
        (GRADIENT, "gradient_statistics"),
        (OUTPUT_GRADIENT, "output_gradient_statistics"),
        (LayerAlone("l2", 3), "measure_distances"),
        (LayerAlone("kl", 8, 8), "measure_distances"),
    ],
    ids=str,
)
def test_measurements_are_kept(
    role: Role, measuring: str, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, measurements = heard("smallest", clips=2)
    job = replace(job, store=Store(tmp_path, job.store.keys))
    first = measure_role(job, measurements, role)
    weighted = {layer.name for layer in job.prepared.layers if layer.weight is not None}
    assert {layer for layer, found in first if found == role} == weighted
    original = getattr(ranking, measuring)

    def nothing_left(*arguments: object, **named: object) -> object:
        assert role not in (GRADIENT, OUTPUT_GRADIENT) and arguments[0].known  # type: ignore[attr-defined]
        return original(*arguments, **named)

    monkeypatch.setattr(ranking, measuring, nothing_left)
    assert measure_role(job, measurements, role) == first


def test_statistics_of_outputs_need_no_measurement(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    job, measurements = heard("smallest", clips=2, sensitivity="normality")
    assert job.request.needs == NOTHING
    monkeypatch.setattr("myqasr_fx.measure.measure.measure_role", None)
    assert measure(job).statistics == measurements.statistics
