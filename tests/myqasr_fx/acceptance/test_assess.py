from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from myqasr_fx.acceptance import assess
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.process.limits import Limits

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
