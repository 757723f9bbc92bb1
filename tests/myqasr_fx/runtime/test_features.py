"""Features against transformers' extractors."""

import numpy as np
import pytest
from transformers import Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

from myqasr_fx.errors import BundleError
from myqasr_fx.runtime.features import features_of

RATE = 16_000


@pytest.mark.parametrize("bins", [80, 128])
@pytest.mark.parametrize("length", [400, 8_000, 480_000, 500_000])
def test_log_mel(bins: int, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = WhisperFeatureExtractor(feature_size=bins)
    time = np.arange(length) / RATE
    noise = np.random.default_rng(0).normal(0, 0.02, length)
    samples = (noise + 0.3 * np.sin(2 * np.pi * 440 * time) * (time % 1 < 0.5)).astype(np.float32)
    got = features_of(extractor.to_dict())(samples)
    assert (got.dtype, got.shape) == (np.float32, (1, bins, 3000))
    # With torch, transformers transforms in float32, which is off by more than 1e-5 where a quiet bin is beside a tone.
    for has_torch, tolerance in ((False, 1e-6), (True, 1e-4)):
        name = "transformers.models.whisper.feature_extraction_whisper.is_torch_available"
        monkeypatch.setattr(name, lambda has_torch=has_torch: has_torch)
        expected = extractor(samples, sampling_rate=RATE, return_tensors="np")["input_features"]
        np.testing.assert_allclose(got, expected, atol=tolerance, rtol=0)
        assert np.mean(np.abs(got - expected) > 1e-5) < 1e-3


@pytest.mark.parametrize("normalize", [True, False])
def test_waveform(normalize: bool) -> None:
    extractor = Wav2Vec2FeatureExtractor(do_normalize=normalize, return_attention_mask=False)
    samples = np.random.default_rng(0).normal(0.1, 0.3, 5000).astype(np.float32)
    expected = extractor(samples, sampling_rate=RATE, return_tensors="np")["input_values"]
    np.testing.assert_allclose(features_of(extractor.to_dict())(samples), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"feature_extractor_type": "Other"},
        {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 8000},
    ],
)
def test_other_features_are_refused(config: dict[str, object]) -> None:
    with pytest.raises(BundleError, match="are not known"):
        features_of(config)


def test_a_spectrogram_does_not_depend_on_the_audio_behind_it() -> None:
    hear = features_of(WhisperFeatureExtractor(feature_size=80).to_dict())
    samples = np.random.default_rng(0).normal(0, 0.1, 80_000).astype(np.float32)
    samples[100] = 1.0  # the loudest, which decides what is kept
    whole = hear(samples)
    for seconds in (0.3, 1.0, 3.7):
        length = int(seconds * RATE)
        frames = length // 160 - 2  # whose windows end within
        np.testing.assert_allclose(hear(samples[:length])[:, :, :frames], whole[:, :, :frames], atol=1e-6, rtol=0)
