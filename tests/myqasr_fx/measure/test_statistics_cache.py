import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from myqasr_fx.audio import ClipSet, select_clips
from myqasr_fx.errors import OutputError
from myqasr_fx.measure.statistics_cache import (
    Cached,
    GramKind,
    cache_file,
    logits_file,
    read_cache,
    read_logits,
    write_cache,
    write_logits,
)
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import Transcript
from passes.observe.activation_stats import ActivationStats

STATISTICS = {
    ("fc1", "output"): ActivationStats(3, -1.5, 0.1, -0.3, 1 / 3, 0.7),
    ("fc1", "input:0"): ActivationStats(7, 0.0, 1e-30, 1e-31, 1e-32, 0.0),
}
TRANSCRIPTS = (Transcript("grüße", (5, 7), 1.25, "de"), Transcript("", (), 0.5))
GRAMS = {"fc1": torch.tensor([[2.0, 0.1], [0.1, 3.0]], dtype=torch.float64)}


@pytest.fixture
def clips(noise: list[np.ndarray]) -> ClipSet:
    return select_clips(noise, 4)


@pytest.mark.parametrize("grams", [{}, GRAMS], ids=["statistics", "grams"])
def test_what_is_written_is_read(tmp_path: Path, grams: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "kept.json"
    kind: GramKind | None = "all" if grams else None
    write_cache(path, Cached(STATISTICS, TRANSCRIPTS, grams), kind)
    found = read_cache(path, kind)
    assert found is not None
    assert (found.statistics, found.transcripts) == (STATISTICS, TRANSCRIPTS)
    assert found.grams.keys() == grams.keys()
    assert all(torch.equal(found.grams[name], gram) for name, gram in grams.items())


def test_missing_damaged_and_incomplete_files_are_no_cache(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    assert read_cache(path, None) is None
    write_cache(path, Cached(STATISTICS, TRANSCRIPTS, {}), None)
    assert read_cache(path, "all") is None
    content = path.read_text()
    for damaged in (content[:-9], content.replace('"std"', '"sdt"'), "[]", "{}"):
        path.write_text(damaged)
        assert read_cache(path, None) is None
    write_cache(path, Cached(STATISTICS, TRANSCRIPTS, GRAMS), "all")
    assert read_cache(path, "looked_up") is None
    (kept,) = tmp_path.glob("*.safetensors")
    kept.write_bytes(b"short")
    assert read_cache(path, "all") is None


def test_another_model_clip_or_language_has_another_file(
    tiny_wav2vec2: SpeechModel, tiny_whisper: SpeechModel, noise: list[np.ndarray], clips: ClipSet, tmp_path: Path
) -> None:
    file = cache_file(tmp_path, tiny_wav2vec2, clips, None)
    assert cache_file(tmp_path, tiny_wav2vec2, select_clips(noise, 4), None) == file
    others = {
        cache_file(tmp_path, tiny_whisper, clips, None),
        cache_file(tmp_path, tiny_wav2vec2, select_clips(noise[:3], 4), None),
        cache_file(tmp_path, tiny_wav2vec2, clips, "de"),
    }
    assert len(others - {file}) == 3


def test_a_folder_that_cannot_be_is_refused_before_any_work(
    tiny_wav2vec2: SpeechModel, clips: ClipSet, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cache .*file: .*choose another --cache"):
        cache_file(tmp_path / "file", tiny_wav2vec2, clips, None)


def test_a_full_disk_leaves_no_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write_cache(tmp_path / "kept.json", Cached(STATISTICS, TRANSCRIPTS, {}), None)
    assert list(tmp_path.iterdir()) == []


def test_logits_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "logits.safetensors"
    assert read_logits(path) is None
    logits = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)
    write_logits(path, logits)
    found = read_logits(path)
    assert found is not None
    assert found.dtype == np.float32
    assert np.array_equal(found, logits)
    path.write_bytes(path.read_bytes()[:-1])
    assert read_logits(path) is None


@pytest.mark.parametrize("wrong", [np.zeros((3, 7), np.float64), np.zeros(7, np.float32)], ids=["type", "shape"])
def test_what_cannot_be_logits_is_not_read(tmp_path: Path, wrong: np.ndarray) -> None:
    write_logits(tmp_path / "logits.safetensors", wrong)
    assert read_logits(tmp_path / "logits.safetensors") is None


def test_another_model_torch_or_key_has_other_logits(
    tiny_wav2vec2: SpeechModel, tiny_whisper: SpeechModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = logits_file(tmp_path, tiny_whisper, ("hf", "1 2"))
    assert file == logits_file(tmp_path, tiny_whisper, ("hf", "1 2"))
    others = {logits_file(tmp_path, tiny_wav2vec2, ("hf", "1 2")), logits_file(tmp_path, tiny_whisper, ("hf", "1 3"))}
    monkeypatch.setattr(torch, "__version__", "0.1")
    others.add(logits_file(tmp_path, tiny_whisper, ("hf", "1 2")))
    assert len(others - {file}) == 3
