"""Run by onnx-asr's own interpreter: prints versions and transcripts of recordings at 16 kHz as JSON.

Usage: python onnx_asr_client.py FAMILY BUNDLE RECORDING…

Releases up to 0.12.0 know no wav2vec 2.0, which the sources after that do: where it is missing, a class here feeds the
file as those do, and onnx-asr decodes. Writes the features that a Whisper got beside each recording, raw float32, as
NAME.features.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx_asr
import onnxruntime
import soundfile
from onnx_asr.asr import _AsrWithCtcDecoding
from onnx_asr.loader import Manager
from onnx_asr.utils import ModelNotSupportedError

PACKAGES = ("onnx-asr", "onnxruntime")
TYPES = {"ctc": "wav2vec2-ctc", "multilingual": "whisper"}


class Waveforms(_AsrWithCtcDecoding):
    """Waveforms and their lengths in, log-probabilities out."""

    _preprocessor_name = "identity"
    _subsampling_factor = 320

    def __init__(self, folder: Path, manager: Manager) -> None:
        super().__init__({"vocab": folder / "vocab.txt"}, manager._create_preprocessor, {})
        self.session = onnxruntime.InferenceSession(folder / "model.onnx")

    @staticmethod
    def _get_model_files(quantization=None):
        return {}

    def _encode(self, features, features_lens):
        feeds = {"input_values": features, "input_lengths": features_lens}
        (scores,) = self.session.run(["logprobs"], feeds)
        return scores, features_lens * scores.shape[1] // features.shape[1]


def load(family: str, folder: Path):
    try:
        return onnx_asr.load_model(TYPES[family], folder)
    except ModelNotSupportedError:
        manager = Manager()
        return manager._create_asr_adapter(Waveforms(folder, manager))


def transcribe(family: str, bundle: str, recordings: tuple[str, ...]):
    model = load(family, Path(bundle))
    for path in recordings:
        samples, rate = soundfile.read(path, dtype="float32")
        if family == "multilingual":
            features, _ = model.asr._preprocessor(samples[None], np.array([len(samples)]))
            features.astype(np.float32).tofile(Path(path).with_suffix(".features"))
        yield model.recognize(samples, sample_rate=rate)


if __name__ == "__main__":
    _, family, bundle, *recordings = sys.argv
    texts = list(transcribe(family, bundle, tuple(recordings)))
    print(json.dumps({"versions": {name: version(name) for name in PACKAGES}, "texts": texts}))
