"""Clips of two lengths for a model that hears padding: each gets its own text, and the bundle warns of batches."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

import myqasr_fx
from myqasr_fx.bundle.bundle import MANIFEST, BundleManifest
from myqasr_fx.capture import signatures
from myqasr_fx.models.load import load_model
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime.torch_runner import TorchRunner, torch_runtime

Save = Callable[..., Path]
Make = Callable[[str], SpeechModel]

KINDS = {
    "wav2vec2": "equal lengths: normalizes over time",
    "hubert": "equal lengths: normalizes over time",
    "wav2vec2-layer": "equal lengths: no mask",
    "data2vec-audio": "equal lengths: no mask",
}


@pytest.fixture
def model(request: pytest.FixtureRequest, make_speech_model: Make, save_model: Save) -> SpeechModel:
    """One of each kind; the second Wav2Vec2 normalizes each frame by itself."""
    name: str = request.param
    if not name.endswith("-layer"):
        return make_speech_model(name)
    folder = save_model("wav2vec2")
    sizes = {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}
    torch.manual_seed(0)
    Wav2Vec2ForCTC(Wav2Vec2Config.from_pretrained(folder, **sizes)).save_pretrained(folder)
    return load_model(str(folder))


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.normal(0, 0.1, length).astype(np.float32) for length in (16_000, 9_000, 16_000)]


@pytest.mark.parametrize("model", KINDS, indirect=True)
def test_each_clip_gets_its_own_text(model: SpeechModel, clips: list[np.ndarray]) -> None:
    runtime = torch_runtime(model, model.capture())
    together = runtime.transcribe_batch(clips)
    assert together == [runtime.transcribe(clip) for clip in clips]
    assert len({said.text for said in together}) == 3


@pytest.mark.parametrize("model", KINDS, indirect=True)
def test_what_the_bundle_says_is_so(model: SpeechModel, clips: list[np.ndarray]) -> None:
    """Clips of equal lengths do not hear each other; padding is heard, from the first frame on."""
    assert model.family.batch(model.config) == KINDS.get(model.name, "equal lengths: no mask")
    (graph,) = model.capture().graphs.values()
    runner = TorchRunner(graph, signatures(model.config)["model"])

    def logits(values: np.ndarray) -> np.ndarray:
        return runner.run({"input_values": values}, ["logits"])["logits"]

    one, short, other = (model.features(clip) for clip in clips)
    alone = [logits(one), logits(other), logits(short)]
    both = logits(np.concatenate([one, other]))
    np.testing.assert_allclose(both, np.concatenate(alone[:2]), atol=1e-4)
    padded = logits(np.concatenate([one, np.pad(short, ((0, 0), (0, one.shape[1] - short.shape[1])))]))[1]
    frames = alone[2].shape[1] // 2  # well before the padding
    assert np.abs(padded[:frames] - alone[2][0, :frames]).max(axis=-1).min() > 1e-3


def test_the_bundle_of_a_ctc_model_says_so_and_one_of_whisper_need_not(
    make_speech_model: Make, clips: list[np.ndarray], tmp_path: Path
) -> None:
    options = {"uniform_bits": 8, "recipe": "paper-file"}
    ctc = myqasr_fx.quantize(make_speech_model("smallest"), clips, out=tmp_path / "ctc", **options)
    assert BundleManifest.read(ctc.path).batch == "equal lengths: normalizes over time"
    runtime = myqasr_fx.load(ctc.path)
    assert runtime.transcribe_batch(clips[:2]) == [runtime.transcribe(clip) for clip in clips[:2]]
    model = make_speech_model("whisper-smallest")
    whisper = myqasr_fx.quantize(model, clips[:1], out=tmp_path / "whisper", **options)
    assert whisper.manifest.batch is None
    assert "batch" not in json.loads((whisper.path / MANIFEST).read_text(encoding="utf-8"))
