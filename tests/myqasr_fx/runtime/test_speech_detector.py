"""silero-vad, an extra: what it hears, and what becomes of a text where it hears no speech."""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx import pipeline
from myqasr_fx.audio import load_audio, select_clips
from myqasr_fx.cli import demo_run as demo
from myqasr_fx.errors import AudioError, OptionError
from myqasr_fx.measure.speech import no_speech_rule
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.runtime import NoSpeechRule, load_bundle, speech_detector, with_thresholds
from myqasr_fx.runtime.speech_detector import FRAME, SpeechDetector

KEPT = Path(__file__).parents[2] / "data" / "bundle"
NOISE = np.random.default_rng(0).normal(0, 0.02, 16_000).astype(np.float32)

needs_vad = pytest.mark.skipif(find_spec("silero_vad") is None, reason="silero-vad is not installed (extra vad)")


@needs_vad
def test_noise_and_silence_are_no_speech() -> None:
    detector = SpeechDetector.load()
    for samples in (NOISE, np.zeros(8_000, np.float32)):
        found = detector.probabilities(samples)
        assert found.shape == (-(-len(samples) // FRAME),)
        assert found.max() < 0.3
    assert detector.probabilities(np.zeros(0, np.float32)).shape == (0,)


@needs_vad
def test_people_are_speech() -> None:
    if find_spec("moonshine_voice") is None:
        pytest.skip("moonshine-voice is not installed; it belongs to the demo extra")
    detector = SpeechDetector.load()
    for path in demo._locate(demo._UNHEARD):
        found = detector.probabilities(load_audio(path).samples)
        assert found.max() > 0.9
        assert np.isfinite(found).all()


@needs_vad
def test_a_text_is_dropped_where_it_hears_nothing() -> None:
    runtime = load_bundle(KEPT)
    plain = runtime.transcribe(NOISE)
    assert plain.text and not plain.no_speech
    assert with_thresholds(runtime, {"vad_threshold": 0.0}).transcribe(NOISE) == plain
    silent = with_thresholds(runtime, {"vad_threshold": 0.5, "logprob_threshold": None}).transcribe(NOISE)
    assert (silent.text, silent.no_speech, silent.tokens) == ("", True, plain.tokens)
    with pytest.raises(OptionError, match="logprob threshold: a CTC model does not tell"):
        with_thresholds(runtime, {"vad_threshold": 0.5, "logprob_threshold": -1.0})
    with pytest.raises(OptionError, match=r"vad threshold 1\.5: expected 0 to 1"):
        with_thresholds(runtime, {"vad_threshold": 1.5})


@needs_vad
def test_it_is_asked_beside_the_rule_of_whisper() -> None:
    assert not NoSpeechRule().hears_none(NOISE)
    assert NoSpeechRule(vad_threshold=0.5).hears_none(NOISE)
    assert NoSpeechRule(vad_threshold=0.5) != NoSpeechRule()  # what a cache holds depends on it


@needs_vad
def test_clips_without_speech_are_left_out_of_the_calibration(
    make_speech_model: Callable[[str], SpeechModel], captured_once: Callable[..., object], tmp_path: Path
) -> None:
    model = make_speech_model("smallest")
    prepared = captured_once(model)
    clips = select_clips([NOISE, NOISE[:9_000]], 2)

    def heard(threshold: float) -> object:
        config = resolve_config(uniform_bits=4, recipe="paper-file", vad_threshold=threshold)
        road = pipeline.Road(config, pipeline.Silent(), pipeline.Limits())
        return pipeline.measure(pipeline.measuring(prepared, clips, road)).observed.clips  # type: ignore[arg-type]

    assert heard(0.0) == clips
    with pytest.raises(AudioError, match="the model hears no speech in any clip"):
        heard(0.9)


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = ModuleSpec("silero_vad", None, is_package=True)
    other.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(speech_detector, "find_spec", lambda name: None)
    speech_detector.speech_detector.cache_clear()
    with pytest.raises(OptionError, match="silero-vad is not installed") as caught:
        with_thresholds(load_bundle(KEPT), {"vad_threshold": 0.1})
    assert "myqasr-fx[vad]" in str(caught.value)
    with pytest.raises(OptionError, match="silero-vad is not installed"):
        no_speech_rule(None, 0.1)
    monkeypatch.setattr(speech_detector, "find_spec", lambda name: other)
    with pytest.raises(OptionError, match="this silero-vad has no data/silero_vad_16k_op15"):
        SpeechDetector.load()
