"""sort_rows: the model computes what it did, the curvatures follow, and sorted layers take several widths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from myqasr_fx.audio import select_clips
from myqasr_fx.bundle import QuantizedBundle
from myqasr_fx.curvature import measure_curvature
from myqasr_fx.errors import OptionError
from myqasr_fx.forced_run import ForcedRun
from myqasr_fx.measure import measure
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.prepare import Prepared
from myqasr_fx.progress import Silent
from myqasr_fx.resolve import resolve_config
from myqasr_fx.row_order import sort_rows
from myqasr_fx.sensitivity import forced_clips

Make = Callable[[str], SpeechModel]


def test_the_model_computes_what_it_did_and_the_curvatures_follow(
    make_speech_model: Make, captured_once: Callable[..., Prepared], noise: list[np.ndarray]
) -> None:
    prepared = captured_once(make_speech_model("whisper"))
    config = resolve_config("400KB", recipe="best", sort_rows=True)
    plain = measure(prepared, select_clips(noise[:2], 2), resolve_config(uniform_bits=4), Silent())
    clips, run = forced_clips(prepared.speech, plain), ForcedRun(prepared)
    before = measure_curvature(run, clips, 0, Silent())
    with torch.no_grad():
        expected = [run.logits(clip, run.start(clip)) for clip in clips]
    assert sort_rows(prepared, before, resolve_config("400KB", recipe="best")) is before
    found = sort_rows(prepared, before, config)
    with torch.no_grad():
        for clip, logits in zip(clips, expected, strict=True):
            torch.testing.assert_close(run.logits(clip, run.start(clip)), logits, rtol=1e-3, atol=1e-3)
    moved = {name for name in before if not torch.equal(before[name].rows, found[name].rows)}
    assert {name.rpartition(".")[2] for name in moved} == {"fc1", "v_proj"}
    again = measure_curvature(run, clips, 0, Silent())  # the same probes: only the order of sums differs
    for name, curvature in found.items():
        scale = float(curvature.gram.abs().max())
        torch.testing.assert_close(again[name].gram, curvature.gram, rtol=1e-3, atol=1e-3 * scale)
        torch.testing.assert_close(again[name].rows, curvature.rows, rtol=1e-2, atol=1e-3 * float(curvature.rows.max()))


def test_end_to_end(compile_model: Callable[..., QuantizedBundle]) -> None:
    bundle = compile_model("whisper", "400KB", recipe="best", sort_rows=True, equalize_pairs=True)
    made = bundle.manifest
    assert made.config["sort_rows"] is True and made.config["equalize_pairs"] is True
    assert made.model_bytes <= 400_000
    blocks = {layer.name: len(layer.blocks) for layer in made.layers}
    assert max(count for name, count in blocks.items() if name.endswith("fc1")) > 1
    assert all(onnx.load(file) for file in sorted(Path(bundle.path).glob("*.onnx")))


def test_what_it_needs() -> None:
    with pytest.raises(OptionError, match="sort rows with allocation 'uniformity'"):
        resolve_config("24MB", sort_rows=True)
