"""Weights are files of the model's folder: no path and no link leads elsewhere, but into the hub cache's own blobs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from myqasr_fx.models.load import load_model

Save = Callable[..., Path]
Refusal = Callable[[Path], str]

INDEX = "model.safetensors.index.json"
WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(save_model: Save) -> Path:
    return save_model("whisper-smallest")


@pytest.fixture
def sharded(save_model: Save) -> Path:
    made = save_model("whisper-smallest", limit=200_000)
    assert len(list(made.glob("model-*.safetensors"))) > 1 and not (made / WEIGHTS).exists()
    return made


@pytest.mark.parametrize("place", ["../other.safetensors", "{parent}/other.safetensors", "sub/other.safetensors"])
def test_a_shard_is_a_plain_name(sharded: Path, refusal: Refusal, place: str) -> None:
    index = json.loads((sharded / INDEX).read_text())
    name = next(iter(index["weight_map"].values()))
    (sharded / "sub").mkdir()
    for target in (sharded.parent, sharded / "sub"):
        shutil.copyfile(sharded / name, target / "other.safetensors")
    moved = place.format(parent=sharded.parent)
    index["weight_map"] = {key: moved if value == name else value for key, value in index["weight_map"].items()}
    (sharded / INDEX).write_text(json.dumps(index))
    assert "expected the name of a .safetensors file in the folder" in refusal(sharded)


def test_a_link_out_of_the_folder_is_refused(folder: Path, refusal: Refusal, tmp_path: Path) -> None:
    shutil.move(folder / WEIGHTS, tmp_path / "other.safetensors")
    (folder / WEIGHTS).symlink_to(tmp_path / "other.safetensors")
    assert "links to another place" in refusal(folder)


def test_a_link_of_a_shard_out_of_the_folder_is_refused(sharded: Path, refusal: Refusal, tmp_path: Path) -> None:
    shard = min(sharded.glob("model-*.safetensors"))
    shutil.move(shard, tmp_path / "other.safetensors")
    shard.symlink_to("../other.safetensors")
    assert "links to another place" in refusal(sharded)


@pytest.mark.parametrize("target", ["nowhere.safetensors", "model.safetensors"])
def test_a_link_to_nothing_is_refused(folder: Path, refusal: Refusal, target: str) -> None:
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).symlink_to(target)
    assert refusal(folder).startswith(str(folder / WEIGHTS))


def test_a_link_inside_the_folder_is_followed(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "renamed.safetensors")
    (folder / WEIGHTS).symlink_to("renamed.safetensors")
    assert load_model(str(folder)).family.name == "whisper"


def test_the_layout_of_the_hub_cache_is_read(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--someone--tiny"
    snapshot = cache / "snapshots" / "0123abcd"
    for part in (cache / "blobs", snapshot):
        part.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.iterdir())):
        shutil.copyfile(path, cache / "blobs" / f"{number:040x}")
        (snapshot / path.name).symlink_to(Path("../../blobs", f"{number:040x}"))
    assert load_model(str(snapshot)).fingerprint == load_model(str(folder)).fingerprint


def test_shards_are_read(sharded: Path) -> None:
    assert load_model(str(sharded)).family.name == "whisper"


@pytest.mark.parametrize("weights", [{}, [], None, "model.safetensors", {"a": 1}, {"a": None}, {"a": ""}, {"a": []}])
def test_a_broken_index_is_refused(sharded: Path, refusal: Refusal, weights: object) -> None:
    (sharded / INDEX).write_text(json.dumps({"weight_map": weights}))
    text = refusal(sharded)
    assert INDEX in text and "weight_map" in text and "expected" in text


def test_a_missing_shard_is_named(sharded: Path, refusal: Refusal) -> None:
    shard = max(sharded.glob("model-*.safetensors"))
    shard.unlink()
    assert f"{shard.name}: is missing" in refusal(sharded)


def test_a_pipe_is_not_waited_for(folder: Path, refusal: Refusal) -> None:
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("/dev/zero")
    assert "is no regular file" in refusal(folder)


def test_an_index_nested_without_end_is_refused(sharded: Path, refusal: Refusal) -> None:
    (sharded / INDEX).write_text("[" * 200_000)
    assert "cannot be read" in refusal(sharded)
