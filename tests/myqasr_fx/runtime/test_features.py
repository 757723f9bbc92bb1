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


@pytest.mark.parametrize("bins", [80, 128])
def test_no_product_is_large_enough_for_threads(bins: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenBLAS takes several for more than 2^18 multiplications, and they keep cores busy for what comes next."""
    sizes: list[int] = []
    matmul = np.matmul

    def counted(rows: np.ndarray, filters: np.ndarray, *, out: np.ndarray) -> np.ndarray:
        sizes.append(rows.size * filters.shape[1])
        return matmul(rows, filters, out=out)

    monkeypatch.setattr(np, "matmul", counted)
    features_of(WhisperFeatureExtractor(feature_size=bins).to_dict())(np.zeros(80_000, np.float32))
    assert max(sizes) <= 2**18 and sum(sizes) >= 500 * 201 * bins
