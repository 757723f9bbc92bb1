"""Run by an interpreter that has Optimum and optimum-myqasr: compiles and transcribes with ``optimum-cli myqasr``.

Usage: python optimum_cli_client.py MODEL CALIBRATION BUNDLE RECORDING…

Prints versions, transcripts and the bytes of the model files as JSON.
"""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import optimum.myqasr

PACKAGES = ("optimum", "optimum-myqasr", "transformers", "torch")


def run(*arguments: str) -> str:
    command = [Path(sys.executable).with_name("optimum-cli"), "myqasr", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    _, model, calibration, bundle, *recordings = sys.argv
    size = ("--avg-bits", "6", "--recipe", "paper-file")
    run("quantize", model, "--audio", calibration, *size, "--out", bundle, "--force")
    texts = [json.loads(run("transcribe", bundle, path, "--json"))["transcripts"][0]["text"] for path in recordings]
    answer = {
        "versions": {name: version(name) for name in PACKAGES},
        "texts": texts,
        "details": {"bytes": optimum.myqasr.QuantizedBundle.open(bundle).manifest.model_bytes},
    }
    print(json.dumps(answer))
