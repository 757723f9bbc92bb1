"""Bundles in the layout of onnx-asr: what it reads beside the graphs, and that the graphs take what it feeds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.contents import BUNDLE
from myqasr_fx.capture.adapter import Adapter
from myqasr_fx.errors import ModelError
from myqasr_fx.models.onnx_asr import ADDED, VOCABULARY, adapters
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import Decoding, OrtSettings, load_bundle, with_decoding
from myqasr_fx.runtime.torch_runner import torch_runtime


def session(bundle: QuantizedBundle, name: str) -> Any:
    return onnxruntime.InferenceSession(bundle.path / name, providers=["CPUExecutionProvider"])


def test_a_ctc_bundle_normalizes_waveforms_itself(
    compile_model: Callable[..., QuantizedBundle], make_speech_model: Callable[[str], SpeechModel], noise: Any
) -> None:
    bundle = compile_model("smallest", uniform_bits=8, layout="onnx-asr")
    assert bundle.manifest.verification.exact_error < 1e-5
    assert BUNDLE.foreign(bundle.path) == []
    lines = (bundle.path / VOCABULARY).read_text(encoding="utf-8").splitlines()
    assert [int(line.split(" ")[1]) for line in lines] == list(range(len(lines)))
    quiet = noise[0] * 0.003 + 0.2
    full = torch_runtime(make_speech_model("smallest"), make_speech_model("smallest").capture())
    heard, expected = load_bundle(bundle.path).logits(quiet, ()), full.logits(quiet, ())
    assert np.linalg.norm(heard - expected) < 0.05 * np.linalg.norm(expected)


def test_a_model_of_plain_waveforms_gets_no_normalization(tiny_wav2vec2: SpeechModel) -> None:
    assert adapters(tiny_wav2vec2) == {"model": Adapter.NORMALIZED}
    plain = replace(tiny_wav2vec2, feature_extractor=SimpleNamespace(do_normalize=False))  # type: ignore[arg-type]
    assert adapters(plain) == {"model": Adapter.WAVEFORM}


def test_a_token_with_a_space_is_refused(tiny_wav2vec2: SpeechModel) -> None:
    strange = SimpleNamespace(
        all_special_tokens=["<pad>"],
        word_delimiter_token="|",
        replace_word_delimiter_char=" ",
        do_lower_case=False,
        get_vocab=lambda: {"<pad>": 0, "a b": 5},
    )
    with pytest.raises(ModelError, match=r"'a b' holds what parts .*take --layout hf"):
        adapters(replace(tiny_wav2vec2, tokenizer=strange))  # type: ignore[arg-type]


def test_a_decoder_starts_from_a_cache_without_a_batch(
    compile_model: Callable[..., QuantizedBundle], noise: list[np.ndarray]
) -> None:
    bundle = compile_model("whisper-multilingual", uniform_bits=8, layout="onnx-asr")
    assert bundle.manifest.verification.exact_error < 1e-5
    assert BUNDLE.foreign(bundle.path) == []
    assert json.loads((bundle.path / ADDED).read_text(encoding="utf-8"))["<|de|>"] > 0
    ours = load_bundle(bundle.path)
    prompt = ours.settings.prompt("en")  # type: ignore[union-attr]
    decoder = session(bundle, "decoder_model_merged.onnx")
    features = ours.features(noise[0])  # type: ignore[union-attr]
    (states,) = session(bundle, "encoder_model.onnx").run(None, {"input_features": features})
    feeds = {"input_ids": np.array([prompt]), "encoder_hidden_states": states, "use_cache_branch": np.array([False])}
    for value in decoder.get_inputs():
        if value.name.startswith("past_key_values."):
            feeds[value.name] = np.zeros((0, value.shape[1], 0, value.shape[3]), np.float32)
    names = [name for name in feeds if name.startswith("past_key_values.")]
    asked = ["logits", *(name.replace("past_key_values", "present") for name in names)]
    logits, *first = decoder.run(asked, feeds)
    expected = ours.logits(noise[0], (5,), "en")
    np.testing.assert_allclose(logits[0, -1], expected[0], atol=1e-4 * np.abs(expected).max())
    feeds |= dict(zip(names, first, strict=True)) | {"input_ids": np.array([[5]])}
    logits, *later = decoder.run(asked, feeds)
    np.testing.assert_allclose(logits[0, -1], expected[1], atol=1e-4 * np.abs(expected).max())
    assert [len(value) for value in later] == [".decoder." in name for name in names], "it keeps what has no batch"


def test_an_english_only_whisper_is_refused(tiny_whisper: SpeechModel) -> None:
    with pytest.raises(ModelError, match=r"English-only one writes nothing .*take --layout hf"):
        adapters(tiny_whisper)


def test_a_decoder_gives_times_of_words(compile_model: Callable[..., QuantizedBundle], noise: list[np.ndarray]) -> None:
    told = []
    for layout in ("onnx-asr", "hf"):
        bundle = compile_model("whisper-multilingual", uniform_bits=8, layout=layout)
        runtime = load_bundle(bundle.path, OrtSettings(cross_attention=True))
        heard = replace(runtime, no_speech=replace(runtime.no_speech, no_speech_threshold=1.0))  # type: ignore[type-var]
        (said,) = with_decoding(heard, Decoding(timestamps="word", redraws="never")).transcribe_batch(noise[:1], "de")
        told.append([(word.start, word.end, word.text) for part in said.segments for word in part.words])
    assert told[0] == told[1] != []
