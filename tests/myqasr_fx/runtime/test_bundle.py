"""Bundles of unquantized tiny models: what the runtime reads, and that it needs no torch."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from myqasr_fx.bundle.bundle import (
    MANIFEST,
)
from myqasr_fx.errors import BundleError, ModelError, OptionError
from myqasr_fx.runtime import OrtRunner, OrtSettings, load_bundle
from myqasr_fx.runtime.torch_runner import torch_runtime

WITHOUT_TORCH = """
import sys
FORBIDDEN = {"torch", "transformers", "onnx", "onnx_ir", "onnxscript", "safetensors", "scipy", "jiwer", "jinja2"}
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocker())
import json
import numpy as np
import myqasr_fx
print(json.dumps([list(myqasr_fx.load(folder).transcribe(np.load(sys.argv[1])).tokens) for folder in sys.argv[2:]]))
assert not FORBIDDEN & set(sys.modules)
"""


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(8000).astype(np.float32)


@pytest.mark.parametrize("index", [0, 1], ids=["whisper", "ctc"])
def test_bundle_transcribes_as_the_model_in_torch(models, bundles, samples, index):
    runtime = load_bundle(bundles[index], OrtSettings(threads=1))
    model = models[index]
    expected = torch_runtime(model, model.capture()).transcribe(samples)
    assert runtime.transcribe(samples) == expected
    assert runtime.model_bytes == sum(file.stat().st_size for file in bundles[index].glob("*.onnx"))


def test_ctc_text_equals_the_tokenizer_s(models, bundles, samples):
    transcript = load_bundle(bundles[1]).transcribe(samples)
    assert transcript.text
    decoded = re.sub("<s>|</s>|<unk>", "", models[1].tokenizer.decode(transcript.tokens))
    assert transcript.text == " ".join(decoded.split())


def test_no_torch_is_needed(bundles, samples, tmp_path):
    np.save(tmp_path / "samples.npy", samples)
    command = [sys.executable, "-c", WITHOUT_TORCH, tmp_path / "samples.npy", *bundles]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, ctc = json.loads(done.stdout.splitlines()[-1])
    assert tuple(ctc) == load_bundle(bundles[1]).transcribe(samples).tokens


def test_optimized_model_is_written(bundles, tmp_path):
    OrtRunner(bundles[1] / "model.onnx", OrtSettings(optimized_model=tmp_path / "run.onnx"))
    assert (tmp_path / "run.onnx").stat().st_size > 0


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "encoder_model.onnx"])
def test_missing_file_is_named(bundles, name):
    path = bundles[0] / name
    content = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises((BundleError, ModelError), match=name):
            load_bundle(bundles[0])
    finally:
        path.write_bytes(content)


def test_optimized_graphs_are_not_kept_in_the_bundle(bundles):
    folder = bundles[0]
    before = sorted(folder.iterdir())
    with pytest.raises(OptionError, match="in the bundle itself"):
        load_bundle(folder, OrtSettings(kept=folder / ".." / folder.name))
    assert sorted(folder.iterdir()) == before


def test_folder_that_is_no_bundle(tmp_path):
    with pytest.raises(BundleError, match="no bundle"):
        load_bundle(tmp_path)


def test_the_rule_for_no_speech_is_that_of_the_calibration(bundles, tmp_path):
    folder = shutil.copytree(bundles[0], tmp_path / "bundle")
    manifest = json.loads((folder / MANIFEST).read_text())
    found = []
    for threshold in (None, 0.9, 1):
        manifest["config"] = {"no_speech_threshold": threshold} if threshold else {}
        (folder / MANIFEST).write_text(json.dumps(manifest))
        found.append(load_bundle(folder).no_speech.no_speech_threshold)
    assert found == [0.7, 0.9, 1]
    for threshold in (1.5, "0.5", [0.5] * 1000):
        manifest["config"] = {"no_speech_threshold": threshold}
        (folder / MANIFEST).write_text(json.dumps(manifest))
        with pytest.raises(BundleError, match=f"{MANIFEST}: config: no speech threshold .{{1,20}}: expected 0 to 1"):
            load_bundle(folder)
