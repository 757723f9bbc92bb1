from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from myqasr_fx.acceptance import assess, holdout
from myqasr_fx.bundle.bundle import QuantizedBundle

CompileModel = Callable[..., QuantizedBundle]


@pytest.fixture(autouse=True)
def _few_clips_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the four clips is held out."""
    monkeypatch.setattr(holdout, "MIN_CLIPS", 4)


def test_a_second_budget_asks_the_full_precision_model_nothing(
    compile_model: CompileModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = compile_model("whisper-smallest", uniform_bits=4, cache=tmp_path / "cache").manifest.acceptance
    compile_model("whisper-smallest", uniform_bits=6, cache=tmp_path / "cache")
    kept = sorted((tmp_path / "cache").glob("logits-*"))
    assert len(kept) == 1
    monkeypatch.setattr(assess, "torch_runtime", lambda *_: _Unreachable())
    again = compile_model("whisper-smallest", uniform_bits=4, cache=tmp_path / "cache").manifest.acceptance
    assert again == fresh
    assert sorted((tmp_path / "cache").glob("logits-*")) == kept


class _Unreachable:
    """A model that must not be run."""

    model_bytes = 0


def test_other_layouts_do_not_share_logits(compile_model: CompileModel, tmp_path: Path) -> None:
    for layout in ("hf", "sherpa-onnx"):
        compile_model("whisper-smallest", uniform_bits=6, cache=tmp_path / "cache", layout=layout)
    assert len(list((tmp_path / "cache").glob("logits-*"))) == 2


def test_nothing_is_kept_of_clips_that_calibrated(compile_model: CompileModel, tmp_path: Path) -> None:
    compile_model("whisper-smallest", uniform_bits=6, cache=tmp_path / "cache", holdout=0.0)
    assert not list((tmp_path / "cache").glob("logits-*"))
