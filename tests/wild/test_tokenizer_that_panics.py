"""Tokenizer files over which the library's compiled code stops with a panic, which is no exception to Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from myqasr_fx.errors import BundleError, ModelError
from myqasr_fx.models.load import load_model
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime.text import WhisperText

CHARSMAP = {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}
PREFIX = {
    "model": {
        "type": "BPE",
        "vocab": {"a": 0, "b": 1, "ab": 2},
        "merges": [["a", "b"]],
        "continuing_subword_prefix": "####",
    }
}
PATTERN = {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False}}
"""Of these, the first two panic, and the last raises a plain ``Exception``."""

FAULTS = pytest.mark.parametrize("fault", [CHARSMAP, PREFIX, PATTERN], ids=["panic", "panic in merges", "exception"])


@pytest.fixture
def folder(tiny_whisper_multilingual: SpeechModel, tmp_path: Path) -> Path:
    """The configuration of a Whisper model, which has a ``tokenizer.json``."""
    tiny_whisper_multilingual.network.save_pretrained(tmp_path / "model")
    tiny_whisper_multilingual.save_configs(tmp_path / "model")
    return tmp_path / "model"


def break_tokenizer(folder: Path, fault: dict[str, Any]) -> Path:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | fault), encoding="utf-8")
    return path


@pytest.mark.parametrize("fault", [CHARSMAP, PREFIX])
def test_the_library_panics(folder: Path, fault: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BaseException, match=r"Precompiled|out of range") as caught:
        Tokenizer.from_file(str(break_tokenizer(folder, fault)))
    assert not isinstance(caught.value, Exception)
    assert "panicked at" in capfd.readouterr().err


@FAULTS
def test_a_bundle_with_it_is_one_error(folder: Path, fault: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BundleError, match=r"tokenizer\.json: cannot be read") as caught:
        WhisperText(break_tokenizer(folder, fault))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@FAULTS
def test_a_model_with_it_is_one_error(folder: Path, fault: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    break_tokenizer(folder, fault)
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(ModelError, match="tokenizer") as caught:
        load_model(str(folder))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_an_interrupt_is_none_of_its_errors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        @staticmethod
        def from_file(path: str) -> Tokenizer:
            raise KeyboardInterrupt

    monkeypatch.setattr("myqasr_fx.runtime.text.Tokenizer", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        WhisperText(folder / "tokenizer.json")
