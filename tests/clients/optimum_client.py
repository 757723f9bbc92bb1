"""Run by Optimum's own interpreter: prints versions and transcripts of recordings at 16 kHz as JSON.

Usage: python optimum_client.py FAMILY BUNDLE RECORDING…

Not through transformers' pipeline, which searches with five beams where the model's own settings ask for one. And CTC
tokens are decoded with their special tokens, as without them the blank between two equal letters is gone. Writes the
features that the model got beside each recording, raw float32, as NAME.features.
"""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile
from optimum.onnxruntime import ORTModelForCTC, ORTModelForSpeechSeq2Seq
from transformers import AutoProcessor

PACKAGES = ("optimum-onnx", "optimum", "transformers", "onnxruntime")


def transcribe(family: str, bundle: str, recordings: tuple[str, ...]) -> Iterator[str]:
    loader = ORTModelForSpeechSeq2Seq if family == "whisper" else ORTModelForCTC
    model, processor = loader.from_pretrained(bundle), AutoProcessor.from_pretrained(bundle)
    for path in recordings:
        samples, rate = soundfile.read(path, dtype="float32")
        inputs = processor(samples, sampling_rate=rate, return_tensors="pt")
        (features,) = (inputs[name] for name in ("input_features", "input_values") if name in inputs)
        features.numpy().astype(np.float32).tofile(Path(path).with_suffix(".features"))
        if family == "whisper":
            yield processor.batch_decode(model.generate(**inputs), skip_special_tokens=True)[0].strip()
        else:
            yield processor.batch_decode(model(**inputs).logits.argmax(dim=-1))[0]


if __name__ == "__main__":
    _, family, bundle, *recordings = sys.argv
    texts = list(transcribe(family, bundle, tuple(recordings)))
    print(json.dumps({"versions": {name: version(name) for name in PACKAGES}, "texts": texts}))
