import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from myqasr_fx.errors import ModelError
from myqasr_fx.models import hub
from myqasr_fx.models.load import load_model


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "cached_snapshot", lambda repo_id: None)


def answer(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    info = SimpleNamespace(sha="0" * 40, siblings=[SimpleNamespace(rfilename=name) for name in names])
    monkeypatch.setattr(HfApi, "model_info", lambda *args, **kwargs: info)


def test_unreachable_hub_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(HfApi, "model_info", refuse)
    with pytest.raises(ModelError, match=r"someone/model: the hub cannot be reached: Name or.*local folder"):
        load_model("someone/model")


def test_silent_hub_is_an_error_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(HfApi, "model_info", lambda *args, **kwargs: released.wait(30))
    monkeypatch.setattr(hub, "_SECONDS", 0.2)
    begin = time.monotonic()
    with pytest.raises(ModelError, match=r"no answer within 0\.2 s"):
        hub.download("someone/model")
    assert time.monotonic() - begin < 5
    released.set()


def test_pickle_only_model_is_refused_before_download(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "config.json", "pytorch_model.bin")
    with pytest.raises(ModelError, match="no safetensors"):
        hub.download("someone/model")


def test_unknown_model_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: object, **kwargs: object) -> None:
        raise RepositoryNotFoundError.__new__(RepositoryNotFoundError)  # its constructor wants a real response

    monkeypatch.setattr(HfApi, "model_info", missing)
    with pytest.raises(ModelError, match="is not on the hub"):
        hub.download("someone/model")


@pytest.mark.parametrize("weights", ["model.safetensors", "model.bin"])
def test_downloads_only_what_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: str) -> None:
    asked: list[list[str]] = []

    def fetch(repo_id: str, *, revision: str, allow_patterns: list[str]) -> str:
        asked.append(allow_patterns)
        return str(tmp_path)

    answer(monkeypatch, "config.json", weights, "pytorch_model.bin", "flax_model.msgpack")
    monkeypatch.setattr(hub, "snapshot_download", fetch)
    assert hub.download("someone/model") == tmp_path
    pattern = "*.safetensors" if weights.endswith("safetensors") else weights
    assert asked == [["*.json", "*.txt", pattern]]


MMS = ("config.json", "vocab.json", "model.safetensors", "adapter.eng.safetensors", "adapter.fra.safetensors")


def test_of_a_model_with_adapters_one_is_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def fetch(repo_id: str, *, revision: str, allow_patterns: list[str]) -> str:
        asked.append(allow_patterns)
        return str(tmp_path)

    answer(monkeypatch, *MMS, "adapter.eng.bin")
    monkeypatch.setattr(hub, "snapshot_download", fetch)
    assert hub.download("someone/model", "FRA") == tmp_path
    assert asked == [["*.json", "*.txt", "model.safetensors", "adapter.fra.safetensors"]]
    for language, said in ((None, "2 languages, expected one"), ("fre", r"no adapter of language 'fre' .*mean fra")):
        with pytest.raises(ModelError, match=said):
            hub.download("someone/model", language)
    assert len(asked) == 1


def test_a_cached_model_serves_the_languages_that_were_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in MMS[:-1]:
        (tmp_path / name).touch()
    monkeypatch.setattr(hub, "cached_snapshot", lambda repo_id: tmp_path)
    monkeypatch.setattr(hub, "_fetch", lambda repo_id, language: Path("fetched"))
    found = [hub.download("someone/model", language) for language in (None, "eng", "ENG", "fra")]
    assert found == [tmp_path, tmp_path, tmp_path, Path("fetched")]
