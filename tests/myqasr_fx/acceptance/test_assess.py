from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np
import pytest

from myqasr_fx import pipeline
from myqasr_fx.acceptance import assess
from myqasr_fx.acceptance.compare import Heard
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.process.limits import Limits
from myqasr_fx.runtime import OrtRunner, OrtSettings, Runtime, torch_runner
from myqasr_fx.runtime.opened import Opened
from myqasr_fx.runtime.torch_runner import TorchRunner
from myqasr_fx.verify import bench

CompileModel = Callable[..., QuantizedBundle]
FEW = Limits(held_out_from=4, spare_bytes=1 << 14)
"""One of the four clips is held out."""


def test_a_second_budget_asks_the_full_precision_model_nothing(
    compile_model: CompileModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"cache": tmp_path / "cache", "limits": FEW}
    fresh = compile_model("smallest", uniform_bits=4, **options).manifest.acceptance
    compile_model("smallest", uniform_bits=6, **options)
    kept = sorted((tmp_path / "cache").glob("logits-*"))
    assert len(kept) == 1
    monkeypatch.setattr(assess, "torch_runtime", lambda *_: _Unreachable())
    again = compile_model("smallest", uniform_bits=4, **options).manifest.acceptance
    assert again == fresh
    assert again is not None and again.held_out
    assert sorted((tmp_path / "cache").glob("logits-*")) == kept


@pytest.mark.parametrize(("name", "encoder"), [("whisper-smallest", "input_features"), ("smallest", "input_values")])
def test_full_precision_encodes_a_clip_once(
    compile_model: CompileModel, monkeypatch: pytest.MonkeyPatch, name: str, encoder: str
) -> None:
    """What it writes and what it says of that rest on the same states."""
    encoded: list[bytes] = []

    class Counted(TorchRunner):
        def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
            encoded.extend([feeds[encoder].tobytes()] if encoder in feeds else [])
            return super().run(feeds, outputs)

    def assessed(*given: Any) -> assess.Assessed:
        monkeypatch.setattr(torch_runner, "TorchRunner", Counted)
        return asked(*given)

    asked = pipeline.assess
    monkeypatch.setattr(pipeline, "assess", assessed)
    acceptance = compile_model(name, uniform_bits=6, limits=FEW).manifest.acceptance
    assert acceptance is not None and acceptance.held_out
    assert len(encoded) == len(set(encoded)) == acceptance.clips


class _Unreachable:
    """A model that must not be run."""

    model_bytes = 0


def test_other_layouts_do_not_share_logits(compile_model: CompileModel, tmp_path: Path) -> None:
    for layout in ("hf", "sherpa-onnx"):
        options = {"cache": tmp_path / "cache", "layout": layout, "uniform_bits": 6}
        compile_model("whisper-smallest", limits=FEW, **options)
    assert len(list((tmp_path / "cache").glob("logits-*"))) == 2


def test_nothing_is_kept_of_clips_that_calibrated(compile_model: CompileModel, tmp_path: Path) -> None:
    compile_model("smallest", uniform_bits=6, cache=tmp_path / "cache", limits=FEW, holdout=0.0)
    assert not list((tmp_path / "cache").glob("logits-*"))


def test_no_more_logits_are_kept_than_have_room(compile_model: CompileModel, tmp_path: Path) -> None:
    none = replace(FEW, kept_logits_bytes=1)
    compile_model("smallest", uniform_bits=6, cache=tmp_path / "cache", limits=none)
    assert not list((tmp_path / "cache").glob("logits-*"))


def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is opened, beside what, and closed, and when the full-precision model is asked, from now on."""
    said: list[str] = []
    is_open: WeakSet[OrtRunner] = WeakSet()

    class Told(OrtRunner):
        def __init__(self, path: Path, settings: OrtSettings | None = None) -> None:
            said.append(f"open {path.stem}{' beside another' if len(is_open) else ''}")
            super().__init__(path, settings)
            is_open.add(self)

    def close(opened: Opened) -> None:
        said.extend(["close"] if opened._runner is not None else [])
        closes(opened)

    def forced(runtime: Runtime, item: Heard) -> np.ndarray:
        said.append("full precision")
        return asked(runtime, item)

    closes, asked = Opened.close, assess.forced
    monkeypatch.setattr(bench, "OrtRunner", Told)
    monkeypatch.setattr(Opened, "close", close)
    monkeypatch.setattr(assess, "forced", forced)
    return said


@pytest.mark.parametrize(
    ("name", "graphs", "context"),
    [("smallest", ["model"], "full"), ("whisper-smallest", ["encoder_model", "decoder_model_merged"], "speech")],
)
def test_a_large_model_is_judged_with_one_graph_open_at_a_time(
    name: str, graphs: list[str], context: str, compile_model: CompileModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, options = told(monkeypatch), {"uniform_bits": 4, "context": context}
    usual = compile_model(name, limits=FEW, **options).manifest
    assert any("beside" in event for event in said) is (len(graphs) > 1)
    said = told(monkeypatch)  # those of that run do not count
    manifest = compile_model(name, limits=replace(FEW, unfolded_bytes=0), **options).manifest
    assert manifest.acceptance == usual.acceptance and manifest.context == usual.context
    assert [file.executed for file in manifest.files] == [file.executed for file in usual.files]
    assert not [event for event in said if "beside" in event], said
    each = [event for graph in graphs for event in (f"open {graph}", "close")]
    assert said[said.index("full precision") :] == ["full precision", *each]
