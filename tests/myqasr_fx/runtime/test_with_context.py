"""A tiny Whisper in contexts shorter than 30 s, in torch and as a bundle of an earlier version would be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from myqasr_fx.errors import OptionError
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import Context, CtcRuntime, Decoding, WhisperRuntime, with_context
from myqasr_fx.runtime.context import LEAST_COUNTED, USUAL_MARGIN
from myqasr_fx.runtime.growing_cache import CacheShape
from myqasr_fx.runtime.no_speech import NoSpeechRule
from myqasr_fx.runtime.torch_runner import torch_runtime

NEVER = NoSpeechRule(no_speech_threshold=1.0, logprob_threshold=float("-inf"), compression_ratio_threshold=1e9)


class Counting:
    """Passes everything on, and keeps the lengths that the encoder hears."""

    def __init__(self, runner: object) -> None:
        self._runner = runner
        self.frames: list[int] = []

    def run(self, feeds, outputs):
        self.frames.append(feeds["input_features"].shape[-1] // 2)
        return self._runner.run(feeds, outputs)


@pytest.fixture
def runtime(make_speech_model: Callable[[str], SpeechModel]) -> WhisperRuntime:
    speech = make_speech_model("whisper-smallest")
    found = torch_runtime(speech, speech.capture(), NEVER)
    return replace(found, encoder=Counting(found.encoder), settings=replace(found.settings, max_length=8))


def test_a_clip_is_heard_as_long_as_it_is_and_the_same_beside_others(runtime: WhisperRuntime, noise) -> None:
    short = replace(runtime, context=Context(64, least=0, fallback=False))
    clips = [noise[0], noise[1][:4000], noise[2]]
    together = short.transcribe_batch(clips)
    assert sorted(short.encoder.frames) == [96, 128, 128]  # 12.5 and 50 frames, and 64
    assert together == [short.transcribe_batch([clip])[0] for clip in clips]
    assert short.logits(clips[1], (5, 6)).shape[0] == 3


def test_a_clip_that_fills_30_s_is_heard_once_and_in_full(runtime: WhisperRuntime, noise) -> None:
    clip = np.tile(noise[0], 30)
    (said,) = replace(runtime, context=Context(64)).transcribe_batch([clip])
    assert (runtime.encoder.frames, said.heard_again) == ([1500], 0)
    assert [said] == runtime.transcribe_batch([clip])


def test_a_doubtful_text_is_heard_again_in_full(runtime: WhisperRuntime, noise) -> None:
    full = runtime.transcribe_batch(noise[:2])
    assert all(len(said.tokens) == 8 - len(runtime.settings.prompt(None)) for said in full)  # it never ends
    runtime.encoder.frames.clear()
    short = replace(runtime, context=Context(64))
    again = short.transcribe_batch(noise[:2])
    assert (again, [said.heard_again for said in again]) == (full, [1, 1])
    assert runtime.encoder.frames == [512, 512, 1500, 1500]
    assert short.transcribe(np.tile(noise[0], 40)).heard_again == 2  # in both parts, cut before 30 s


def test_what_repeats_itself_in_a_short_context_is_heard_in_full_before_it_is_drawn_again(
    runtime: WhisperRuntime, noise, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = replace(runtime.no_speech, compression_ratio_threshold=0.1)
    short = replace(runtime, context=Context(64), no_speech=rule, decoding=Decoding(temperatures=(9.0,)))
    frames: list[int] = []
    decoder = CacheShape.decoder

    def counted(self: CacheShape, graph: object, states: np.ndarray) -> object:
        frames.append(states.shape[1])
        return decoder(self, graph, states)  # type: ignore[arg-type]

    monkeypatch.setattr(CacheShape, "decoder", counted)
    short.transcribe_batch(noise[:2])
    assert frames == [512, 1500, 1500]  # once, then in full and drawn again


def test_contexts_by_name(runtime: WhisperRuntime) -> None:
    assert with_context(runtime) is runtime
    assert with_context(runtime, "speech").context == Context(USUAL_MARGIN)
    judged = replace(runtime, context=Context(256, 600))
    assert with_context(judged, "speech").context == Context(256, 600)
    assert with_context(judged, fallback=False).context == Context(256, 600, fallback=False)
    assert with_context(judged, "full").context == Context()
    counting = replace(runtime, context=Context.of(20))
    assert with_context(counting, "speech").context == Context(USUAL_MARGIN, LEAST_COUNTED, silence=20)
    assert with_context(with_context(counting, "speech"), "full").context == Context.of(20)
    with pytest.raises(OptionError, match="context 'half': expected speech or full"):
        with_context(runtime, "half")


def test_an_encoder_of_an_earlier_version_takes_30_s_only(runtime: WhisperRuntime) -> None:
    old = replace(runtime, any_length=False)
    assert with_context(old, "full").context == Context()
    with pytest.raises(OptionError, match="takes 30 s only"):
        with_context(old, "speech")


def test_a_ctc_model_has_no_context() -> None:
    runtime = CtcRuntime(SimpleNamespace(), lambda samples: samples, SimpleNamespace(), blank=0, model_bytes=0)
    with pytest.raises(OptionError, match="a CTC model hears a recording as long as it is"):
        with_context(runtime, "speech")
    with pytest.raises(OptionError, match="no-fallback: a CTC model"):
        with_context(runtime, fallback=False)
