"""Run by sherpa-onnx's own interpreter: writes beside each recording the features that sherpa-onnx makes of it.

Usage: python sherpa_features.py RECORDING…

The same library of features, then the client's steps: Whisper's logarithm and range, zeros for ten seconds after the
end. Each file (mel bins, frames) is named like its recording, with the suffix .npy.
"""

import sys
from pathlib import Path

import kaldi_native_fbank
import numpy as np
import soundfile

MEL_BINS = 80
TAIL, LONGEST = 1_000, 3_000
"""Frames of 10 ms."""


def features(samples: np.ndarray, rate: int) -> np.ndarray:
    options = kaldi_native_fbank.WhisperFeatureOptions()
    options.dim = MEL_BINS
    filters = kaldi_native_fbank.OnlineWhisperFbank(options)
    filters.accept_waveform(rate, samples.tolist())
    filters.input_finished()
    energies = np.stack([filters.get_frame(index) for index in range(filters.num_frames_ready)])
    logarithms = np.log10(np.maximum(energies, 1e-10)).T
    scaled = (np.maximum(logarithms, logarithms.max() - 8) + 4) / 4
    padded = np.zeros((MEL_BINS, min(scaled.shape[1] + TAIL, LONGEST)), np.float32)
    padded[:, : scaled.shape[1]] = scaled
    return padded


if __name__ == "__main__":
    for recording in map(Path, sys.argv[1:]):
        np.save(recording.with_suffix(".npy"), features(*soundfile.read(recording, dtype="float32")))
