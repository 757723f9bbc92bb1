"""Model inputs from samples, in numpy: log-mel spectrograms and normalized waveforms, as preprocessor_config.json says.

Source: the feature extractors of Whisper and wav2vec 2.0; mel filters after Slaney's Auditory Toolbox, area-normalized.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.bundle.untrusted_json import short
from myqasr_fx.errors import BundleError

Features = Callable[[np.ndarray], np.ndarray]
"""Samples (T,) float32 at 16 kHz to the model's input, float32 with a batch of one."""

_FLOOR = 1e-10
_RANGE = 8.0  # decades below the loudest value that are kept
_ONE_THREAD = 2**18
"""Products of so many multiplications are none of several threads in OpenBLAS. Its threads keep a core busy for a while
behind a larger one, which took a quarter off the speed of whatever onnxruntime ran next."""

_SIZES = {"feature_size": (1, 1024), "n_fft": (2, 4096), "hop_length": (16, 4096), "chunk_length": (1, 60)}
"""Smallest and largest values of ``preprocessor_config.json``: several times Whisper's, in a gigabyte of memory."""

_BREAK_HZ, _BREAK_MEL, _LOG_STEP = 1000.0, 15.0, 27.0 / np.log(6.4)


@dataclass(frozen=True, slots=True, eq=False)
class LogMel:
    """Log-mel spectrograms (1, bins, frames) of audio cut or padded with silence to ``samples``.

    Args:
        bins: Mel bins.
        window: Samples of a frame.
        hop: Samples from one frame to the next.
        samples: Length that every clip is brought to.
    """

    bins: int
    window: int
    hop: int
    samples: int
    _filters: npt.NDArray[np.float64] = field(init=False, repr=False)
    _hann: npt.NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_filters", mel_filters(self.bins, self.window))
        object.__setattr__(self, "_hann", np.hanning(self.window + 1)[:-1])

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """The spectrogram of ``samples`` (T,)."""
        half, heard = self.window // 2, min(len(samples), self.samples)
        # Frames behind the audio hear zeros, whose logarithm is known.
        length = min(self.samples, heard + self.window + self.hop)
        padded = np.pad(np.pad(samples[:heard].astype(np.float64), (0, length - heard)), half, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.window)[:: self.hop]
        frames = frames[: self.samples // self.hop]
        power = np.square(np.abs(np.fft.rfft(frames * self._hann)))
        mel = np.log10(np.maximum(self._heard_by_bins(power), _FLOOR)).T
        least = mel.max() - _RANGE
        found = np.full((1, self.bins, self.samples // self.hop), _scaled(max(np.log10(_FLOOR), least)), np.float32)
        found[0, :, : len(frames)] = _scaled(np.maximum(mel, least))
        return found

    def _heard_by_bins(self, power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        found, rows = np.empty((len(power), self.bins)), max(1, _ONE_THREAD // self._filters.size)
        for start in range(0, len(power), rows):
            np.matmul(power[start : start + rows], self._filters, out=found[start : start + rows])
        return found


def _scaled(mel: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64] | float:
    return (mel + 4.0) / 4.0


def mel_filters(bins: int, window: int) -> npt.NDArray[np.float64]:
    """Triangles (window / 2 + 1, bins) between 0 Hz and half the sampling rate."""
    top = _BREAK_MEL + np.log(SAMPLING_RATE / 2 / _BREAK_HZ) * _LOG_STEP
    mels = np.linspace(0.0, top, bins + 2)
    linear = mels * _BREAK_HZ / _BREAK_MEL
    edges = np.where(mels < _BREAK_MEL, linear, _BREAK_HZ * np.exp((mels - _BREAK_MEL) / _LOG_STEP))
    hertz = np.linspace(0.0, SAMPLING_RATE / 2, window // 2 + 1)[:, None]
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    filters: npt.NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))
    return filters


def waveform(samples: np.ndarray) -> np.ndarray:
    """Samples (1, T) as they are."""
    return np.asarray(samples, np.float32)[None]


def normalized_waveform(samples: np.ndarray) -> np.ndarray:
    """Samples (1, T) of mean 0 and variance 1."""
    values = np.asarray(samples, np.float32)
    return np.asarray((values - values.mean()) / np.sqrt(values.var() + 1e-7), np.float32)[None]


def features_of(config: Mapping[str, Any]) -> Features:
    """What a ``preprocessor_config.json`` asks for.

    Raises:
        BundleError: It asks for something else than Whisper's or wav2vec 2.0's features at 16 kHz.
    """
    kind = config.get("feature_extractor_type")
    if config.get("sampling_rate", SAMPLING_RATE) == SAMPLING_RATE:
        if kind == "WhisperFeatureExtractor":
            sizes = {name: config.get(name) for name in _SIZES}
            for name, value in sizes.items():
                low, high = _SIZES[name]
                if type(value) is not int or not low <= value <= high:
                    raise BundleError(f"features: {name} is {short(value)}, expected {low} to {high}")
            samples = config["chunk_length"] * SAMPLING_RATE
            return LogMel(config["feature_size"], config["n_fft"], config["hop_length"], samples)
        if kind == "Wav2Vec2FeatureExtractor":
            return normalized_waveform if config.get("do_normalize", True) else waveform
    rate = short(config.get("sampling_rate"))
    raise BundleError(f"features {short(kind)} at {rate} Hz are not known", hint="quantize again")
