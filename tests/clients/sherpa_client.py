"""Run by sherpa-onnx's own interpreter: prints versions and transcripts of recordings at 16 kHz as JSON.

Usage: python sherpa_client.py BUNDLE RECORDING…
"""

import json
import sys
from importlib.metadata import version

import sherpa_onnx
import soundfile


def main(bundle: str, *recordings: str) -> None:
    files = {name: f"{bundle}/{name}" for name in ("encoder.onnx", "decoder.onnx", "tokens.txt")}
    recognizer = sherpa_onnx.OfflineRecognizer.from_whisper(*files.values(), num_threads=2)
    texts = []
    for path in recordings:
        samples, rate = soundfile.read(path, dtype="float32")
        stream = recognizer.create_stream()
        stream.accept_waveform(rate, samples)
        recognizer.decode_stream(stream)
        texts.append(stream.result.text.strip())
    print(json.dumps({"versions": {"sherpa-onnx": version("sherpa-onnx")}, "texts": texts}))


if __name__ == "__main__":
    main(*sys.argv[1:])
