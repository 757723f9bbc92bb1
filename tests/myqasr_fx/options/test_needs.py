"""What recordings decide, by the options; and that they really do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from myqasr_fx import pipeline
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.needs import decided_by_recordings
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.limits import Limits


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"uniform_bits": 4, "recipe": "paper-file"}, ()),
        ({"avg_bits": 4, "recipe": "paper-file"}, ("widths",)),
        ({"uniform_bits": 4, "recipe": "paper-file", "calibration": "cosine"}, ("codes", "scales")),
        ({"avg_bits": 4}, ("widths", "codes", "scales")),
        ({"avg_bits": 4, "recipe": "paper", "budget_kind": "file"}, ("widths", "ranges of inputs")),
    ],
)
def test_recordings_decide_what_the_methods_look_at(options: dict[str, object], expected: tuple[str, ...]) -> None:
    config = resolve_config(**options)  # type: ignore[arg-type]
    assert decided_by_recordings(config, config.sequential) == expected


@pytest.mark.slow
def test_two_speakers_get_different_codes_by_default(
    make_speech_model: Callable[[str], SpeechModel], tmp_path: Path
) -> None:
    """Low noise and high noise, as far apart as two voices; nothing but the recordings differs."""
    random, found = np.random.default_rng(0), []
    config = resolve_config(uniform_bits=3, rounding="gptq", sequential=False)
    for speaker in (np.cumsum, np.diff):
        clips = [speaker(random.normal(0, 0.1, 16_000)) for _ in range(4)]
        clips = [(0.3 * clip / np.abs(clip).max()).astype(np.float32) for clip in clips]
        bundle = pipeline.quantize(
            make_speech_model("smallest"),
            clips,
            out=tmp_path / speaker.__name__,
            config=config,
            limits=Limits(spare_bytes=1 << 14),
        )
        assert bundle.manifest.calibration.decides == ("codes", "scales")
        tensors = onnx.load(bundle.path / "model.onnx").graph.initializer
        found.append({tensor.name: numpy_helper.to_array(tensor) for tensor in tensors})
    codes = [name for name in found[0] if ".codes" in name and found[0][name].shape == found[1][name].shape]
    differing = [float((found[0][name] != found[1][name]).mean()) for name in codes]
    assert codes and max(differing) > 0.05
