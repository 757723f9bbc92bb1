"""An index that names a pickle as a shard: the pickle is never opened, whatever lies beside it."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from myqasr_fx.models.load import load_model

Save = Callable[..., Path]
Refusal = Callable[[Path], str]

INDEX = "model.safetensors.index.json"


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def folder(save_model: Save, tmp_path: Path) -> Path:
    """A model whose ``pytorch_model.bin`` tells when it is opened, and whose safetensors have another name."""
    made = save_model("whisper-smallest")
    (made / "model.safetensors").rename(made / "other.safetensors")
    (made / "pytorch_model.bin").write_bytes(pickle.dumps(Canary(tmp_path / "ran")))
    return made


def test_the_canary_sings_when_it_is_opened(folder: Path, tmp_path: Path) -> None:
    pickle.loads((folder / "pytorch_model.bin").read_bytes())
    assert (tmp_path / "ran").is_dir()


@pytest.mark.parametrize("single", [False, True], ids=["shards", "beside model.safetensors"])
@pytest.mark.parametrize("name", ["pytorch_model.bin", "./pytorch_model.bin", "pytorch_model.bin\0.safetensors"])
def test_a_pickle_is_no_shard(folder: Path, tmp_path: Path, refusal: Refusal, name: str, single: bool) -> None:
    if single:
        (folder / "other.safetensors").rename(folder / "model.safetensors")
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": {"a": "other.safetensors", "b": name}}))
    text = refusal(folder)
    assert "weight_map['b']" in text and "expected the name of a .safetensors file in the folder" in text
    assert not (tmp_path / "ran").exists()


def test_a_link_to_a_pickle_is_no_shard(folder: Path, tmp_path: Path, refusal: Refusal) -> None:
    (folder / "model.safetensors").symlink_to(folder / "pytorch_model.bin")
    assert "links to another place" in refusal(folder)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_that_calls_itself_safetensors_is_not_unpickled(
    folder: Path, tmp_path: Path, refusal: Refusal
) -> None:
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    assert "the weights cannot be read" in refusal(folder)
    assert not (tmp_path / "ran").exists()


def test_a_configuration_cannot_name_the_weights(
    folder: Path, tmp_path: Path, change_json: Callable[..., None]
) -> None:
    (folder / "other.safetensors").rename(folder / "model.safetensors")
    change_json(folder / "config.json", transformers_weights="pytorch_model.bin")
    assert load_model(str(folder)).family.name == "whisper"
    assert not (tmp_path / "ran").exists()


def test_the_command_exits_with_2(folder: Path, tmp_path: Path) -> None:
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": "pytorch_model.bin"}}))
    command = [sys.executable, "-m", "myqasr_fx", "quantize", str(folder), "--out", str(tmp_path / "out")]
    audio = tmp_path / "audio"
    audio.mkdir()
    done = subprocess.run([*command, "--audio", str(audio)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("myqasr: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "ran").exists() and not (tmp_path / "out").exists()
