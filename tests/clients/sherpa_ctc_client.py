"""Run by sherpa-onnx's own interpreter: prints versions and what a CTC bundle hears in recordings at 16 kHz as JSON.

Usage: python sherpa_ctc_client.py BUNDLE RECORDING…
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import sherpa_onnx
import soundfile

if __name__ == "__main__":
    folder, texts = Path(sys.argv[1]), []
    recognizer = sherpa_onnx.OfflineRecognizer.from_omnilingual_asr_ctc(
        str(folder / "model.onnx"), str(folder / "tokens.txt")
    )
    for path in sys.argv[2:]:
        samples, rate = soundfile.read(path, dtype="float32")
        stream = recognizer.create_stream()
        stream.accept_waveform(rate, samples)
        recognizer.decode_stream(stream)
        texts.append(stream.result.text.strip())
    print(json.dumps({"versions": {"sherpa-onnx": version("sherpa-onnx")}, "texts": texts}))
