"""The optimal allocation end to end on tiny models: what is measured, kept, and chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.audio import select_clips
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.errors import OptionError
from myqasr_fx.fit.allocation import allocation_pass, predicted_bytes
from myqasr_fx.fit.fit import allocate
from myqasr_fx.measure import corrections as damage
from myqasr_fx.measure.measure import measure
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.progress import Silent
from passes.numbers.scheme import Granularity

Compile = Callable[..., QuantizedBundle]


def test_best_meets_its_budget_and_uses_several_widths(compile_model: Compile) -> None:
    bundle = compile_model("whisper", "400KB", recipe="best")
    made = bundle.manifest
    assert made.budget_bytes == 400_000 and made.model_bytes <= 400_000
    assert made.config["allocation"] == "optimal" and made.config["rounding"] == "refined"
    assert sum(layer.fallbacks for layer in made.layers) < 0.01 * sum(
        layer.shape[0] for layer in made.layers if layer.shape
    )
    assert made.config["sequential"] is True
    specs = {(block.bits, block.granularity) for layer in made.layers for block in layer.blocks}
    assert len({bits for bits, _ in specs}) > 1
    assert min(bits for bits, _ in specs) >= 2
    assert made.damage is not None and 0 < made.damage.bound <= made.damage.expected
    expected = [layer.expected_damage for layer in made.layers if layer.expected_damage is not None]
    assert sum(expected) == pytest.approx(made.damage.expected, rel=1e-4)
    assert len(expected) == sum(layer.bits is not None for layer in made.layers)
    assert QuantizedBundle.open(bundle.path) == bundle
    assert "Expected and measured damage" in (bundle.path / "report.html").read_text()


def test_what_was_measured_is_kept_for_the_next_budget(
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
    noise: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared = captured_once(make_speech_model("smallest"))
    clips = select_clips(noise, 4)
    config = resolve_config("60KB", recipe="best", cache=tmp_path)
    first = measure(prepared, clips, config, Silent())
    assert first.grams and first.damages

    def unreachable(*_: object) -> None:
        raise AssertionError("measured twice")

    monkeypatch.setattr(damage, "measure_curvature", unreachable)
    again = measure(prepared, clips, resolve_config("50KB", recipe="best", cache=tmp_path), Silent())
    assert again.damages == pytest.approx(first.damages)
    (kept,) = tmp_path.glob("curvature-*.safetensors")
    kept.write_bytes(kept.read_bytes()[:100])
    with pytest.raises(AssertionError, match="measured twice"):
        measure(prepared, clips, config, Silent())


def test_wider_is_no_worse_and_the_plan_s_bytes_are_those_chosen(
    make_speech_model: Callable[[str], SpeechModel], captured_once: Callable[..., Prepared], noise: list[np.ndarray]
) -> None:
    prepared = captured_once(make_speech_model("smallest"))
    config = resolve_config("60KB", recipe="best")
    calibration = measure(prepared, select_clips(noise, 4), config, Silent())
    group = Granularity("group", 64)
    for item in {name for name, _, _ in calibration.damages}:
        nats = [calibration.damages[item, bits, group] for bits in (32, 16, *range(8, 0, -1))]
        assert nats[:2] == [0, 0] and nats == sorted(nats)
    program, predicted = allocate(prepared, calibration, config)
    step = allocation_pass(prepared, calibration, config, 0)
    assert predicted == predicted_bytes(prepared, program, step) <= 60_000
    assert {choice.granularity for choices in step.choices.values() for choice in choices} == {
        Granularity("group", size) for size in (32, 64, 128)
    }


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(OptionError, match="budget kind 'paper'"):
        resolve_config("24MB", allocation="optimal", budget_kind="paper")
    with pytest.raises(OptionError, match="layout 'sherpa-onnx'"):
        resolve_config("24MB", recipe="best", layout="sherpa-onnx")


@pytest.mark.parametrize("count", range(1, 40))
def test_clips_that_probe_are_kept_from_the_curvature(count: int) -> None:
    others, kept = damage.apart(count)
    assert others and kept
    if count > 1:
        assert sorted([*others, *kept]) == list(range(count))
    assert len(kept) == max(1, count // damage.KEPT)
