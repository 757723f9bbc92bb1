"""Run by an interpreter that has Olive and olive-myqasr: a workflow with our pass, and what its bundle hears.

Usage: python olive_client.py MODEL CALIBRATION BUNDLE RECORDING…

Prints versions, transcripts and the bytes of the model files as JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from olive_myqasr import PACKAGE_CONFIG

import myqasr_fx

PACKAGES = ("olive-ai", "olive-myqasr", "transformers", "torch", "onnxruntime")


def run(model: str, calibration: str, bundle: str) -> None:
    options = {"avg_bits": 6, "recipe": "paper-file"}
    with tempfile.TemporaryDirectory() as work:
        workflow = {
            "input_model": {"type": "HfModel", "model_path": model},
            "passes": {"quantize": {"type": "MyqasrQuantization", "audio": [calibration], "options": options}},
            "output_dir": bundle,
            "cache_dir": f"{work}/cache",
        }
        file = Path(work, "workflow.json")
        file.write_text(json.dumps(workflow), encoding="utf-8")
        olive = Path(sys.executable).with_name("olive")
        command = [olive, "run", "--config", file, "--package-config", PACKAGE_CONFIG]
        subprocess.run(command, check=True, cwd=work, env={**os.environ, "OLIVE_DISABLE_TELEMETRY": "1"}, stdout=2)


if __name__ == "__main__":
    _, model, calibration, bundle, *recordings = sys.argv
    run(model, calibration, bundle)
    runtime = myqasr_fx.load(bundle)
    answer = {
        "versions": {name: version(name) for name in PACKAGES},
        "texts": [runtime.transcribe(path).text for path in recordings],
        "details": {"bytes": myqasr_fx.QuantizedBundle.open(bundle).manifest.model_bytes},
    }
    print(json.dumps(answer))
