"""Metrics that need more than the observers see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.audio import select_clips
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.measure import ranking as sensitivity
from myqasr_fx.measure.observe import Calibration, observe
from myqasr_fx.measure.ranking import measure_sensitivity
from myqasr_fx.models.prepared import Prepared, prepare
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.progress import Silent


def test_a_bundle_by_distance(compile_model: Callable[..., QuantizedBundle]) -> None:
    bundle = compile_model(avg_bits=6.0, sensitivity="kl@4")
    assert bundle.manifest.config["sensitivity"] == "kl@4"
    values = {layer.name: layer.sensitivity for layer in bundle.manifest.layers if layer.op != "matmul"}
    assert len(set(values.values())) == len(values) > 4
    assert all(layer.sensitivity == 0 for layer in bundle.manifest.layers if layer.op == "matmul")


@pytest.fixture(scope="module")
def observed(make_speech_model: Callable[[str], SpeechModel], noise: list[np.ndarray]) -> tuple[Prepared, Calibration]:
    prepared = prepare(make_speech_model("smallest"))
    return prepared, observe(prepared, select_clips(noise[:2], 2), resolve_config(uniform_bits=4), Silent())


@pytest.mark.parametrize(("metric", "measure"), [("fisher", "gradient_statistics"), ("l2@3", "measure_distances")])
def test_measurements_are_kept(
    metric: str,
    measure: str,
    observed: tuple[Prepared, Calibration],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = resolve_config(uniform_bits=4, sensitivity=metric, cache=tmp_path)
    first = measure_sensitivity(*observed, config, Silent())
    assert first.statistics.items() > observed[1].statistics.items()
    original = getattr(sensitivity, measure)

    def nothing_left(*arguments: object) -> object:
        assert metric != "fisher" and arguments[0].known  # type: ignore[attr-defined]
        return original(*arguments)

    monkeypatch.setattr(sensitivity, measure, nothing_left)
    assert measure_sensitivity(*observed, config, Silent()).statistics == first.statistics


def test_statistics_of_outputs_need_no_measurement(observed: tuple[Prepared, Calibration]) -> None:
    config = resolve_config(uniform_bits=4, sensitivity="normality")
    assert measure_sensitivity(*observed, config, Silent()) is observed[1]
