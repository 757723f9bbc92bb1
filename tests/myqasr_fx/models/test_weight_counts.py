"""Weights are counted alike in every form in which a model lies on the disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from myqasr_fx.models import hub_cache, weight_counts
from myqasr_fx.models.builtin import BUILTIN_MODELS
from myqasr_fx.models.weight_counts import count_weights


def test_shards_and_ctranslate2_files(
    ct2_folder: Path, save_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_model("whisper", limit="100KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    found = count_weights(str(folder))
    assert found == count_weights(str(ct2_folder)) == 182_272
    monkeypatch.setattr(weight_counts, "cached_snapshot", lambda repo_id: folder)
    assert count_weights("somebody/whisper") == found


def test_what_lies_nowhere_has_no_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert hub_cache.cached_snapshot("nobody/has-this") is None
    assert count_weights("nobody/has-this") is None


def test_a_built_in_model_is_counted_where_it_is_installed() -> None:
    model = BUILTIN_MODELS["whisper-tiny.en"]
    if not model.installed:
        pytest.skip("the demo extra is not installed")
    assert count_weights("whisper-tiny.en") == 36_430_848 < model.parameters
