"""What sherpa-onnx reads beside the graphs, and a whole bundle in its layout."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx
import pytest

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.layout import LAYOUTS
from myqasr_fx.errors import ModelError
from myqasr_fx.models.prepared import prepare
from myqasr_fx.models.sherpa import TOKENS, sherpa_properties, write_tokens
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import load_bundle
from myqasr_fx.runtime.torch_runner import torch_runtime


def test_properties_of_a_multilingual_model(tiny_whisper_multilingual: SpeechModel) -> None:
    model = tiny_whisper_multilingual
    vocabulary = model.tokenizer.get_vocab()
    assert model.generation is not None
    properties = sherpa_properties(model.config, model.generation, vocabulary)
    assert properties["all_language_codes"] == "en,de,fr"
    assert properties["all_language_tokens"] == ",".join(str(vocabulary[f"<|{code}|>"]) for code in ("en", "de", "fr"))
    start = [vocabulary[f"<|{name}|>"] for name in ("startoftranscript", "en", "transcribe")]
    assert properties["sot_sequence"] == ",".join(map(str, start))
    assert properties["no_speech"] == str(vocabulary["<|nocaptions|>"])
    assert (properties["n_mels"], properties["n_text_ctx"], properties["is_multilingual"]) == ("80", "32", "1")


def test_an_english_only_model_starts_from_one_token(tiny_whisper: SpeechModel) -> None:
    assert tiny_whisper.generation is not None
    properties = sherpa_properties(tiny_whisper.config, tiny_whisper.generation, tiny_whisper.tokenizer.get_vocab())
    assert properties["sot_sequence"] == properties["sot"]
    assert properties["n_text_layer"] == "2"
    assert properties["is_multilingual"] == "0" and "all_language_codes" not in properties


def test_tokens_are_the_bytes_of_the_text(tiny_whisper: SpeechModel, tmp_path: Path) -> None:
    write_tokens(tiny_whisper.tokenizer, tmp_path)
    rows = [line.rsplit(" ", 1) for line in (tmp_path / TOKENS).read_text(encoding="ascii").splitlines()]
    decoded = {int(index): base64.b64decode(text) for text, index in rows}
    assert sorted(decoded.values()) == [bytes([byte]) for byte in range(256)]  # the vocabulary of this tokenizer
    text = "Grüße, 你好!"
    ids = tiny_whisper.tokenizer(text, add_special_tokens=False).input_ids
    assert b"".join(decoded[index] for index in ids).decode() == text


def test_a_bundle_for_sherpa_is_one_for_us_too(
    compile_model: Callable[..., QuantizedBundle], noise: list[np.ndarray]
) -> None:
    bundle = compile_model("whisper-smallest", uniform_bits=8, layout="sherpa-onnx")
    assert {path.name for path in bundle.path.iterdir()} >= {"encoder.onnx", "decoder.onnx", TOKENS}
    assert bundle.manifest.verification.exact_error < 1e-5
    properties = {p.key: p.value for p in onnx.load(bundle.path / "encoder.onnx").metadata_props}
    assert properties["n_text_layer"] == "1"
    assert not onnx.load(bundle.path / "decoder.onnx").metadata_props
    assert len(load_bundle(bundle.path).transcribe(noise[0]).tokens) > 0


def test_both_kinds_of_graphs_write_the_same_tokens(tiny_whisper: SpeechModel, noise: list[np.ndarray]) -> None:
    fixed = torch_runtime(tiny_whisper, prepare(tiny_whisper, layout=LAYOUTS["sherpa-onnx"]).program)
    growing = torch_runtime(tiny_whisper, tiny_whisper.capture())
    # one text that ends early makes the decoder go on with the other rows of the batch alone
    fixed, growing = (replace(r, settings=replace(r.settings, begin_suppress_tokens=())) for r in (fixed, growing))
    assert fixed.transcribe_batch(noise) == growing.transcribe_batch(noise)


def test_a_ctc_model_is_refused(tiny_wav2vec2: SpeechModel) -> None:
    with pytest.raises(ModelError, match="no decoder cache"):
        prepare(tiny_wav2vec2, layout=LAYOUTS["sherpa-onnx"])


def test_a_vocabulary_without_tasks_is_refused(tiny_whisper: SpeechModel) -> None:
    assert tiny_whisper.generation is not None
    vocabulary = {token: index for token, index in tiny_whisper.tokenizer.get_vocab().items() if "trans" not in token}
    with pytest.raises(ModelError, match=r"translate.* and no .*transcribe.*take --layout hf"):
        sherpa_properties(tiny_whisper.config, tiny_whisper.generation, vocabulary)


def test_tokens_that_are_no_bytes_are_refused(tmp_path: Path) -> None:
    class Strange:
        added_tokens_decoder: ClassVar[dict[int, object]] = {}

        def get_vocab(self) -> dict[str, int]:
            return {"a": 0, "語": 1}

    with pytest.raises(ModelError, match="'語' does not stand for bytes"):
        write_tokens(Strange(), tmp_path)  # type: ignore[arg-type]
