from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

Save = Callable[..., Path]
Refusal = Callable[[Path], str]

WEIGHTS = "model.safetensors"


@pytest.mark.parametrize("name", ["model.encoder.layers.0.fc3.weight", "model.encoder.layers.2.fc1.weight", "extra"])
def test_a_tensor_without_a_place_is_refused(save_model: Save, refusal: Refusal, name: str) -> None:
    folder = save_model("whisper-smallest")
    save_file(load_file(folder / WEIGHTS) | {name: torch.zeros(3)}, folder / WEIGHTS)
    assert "has no place" in refusal(folder) or "as in" in refusal(folder)


@pytest.mark.parametrize("name", ["model.encoder.conv1.weight", "model.decoder.layers.0.fc1.bias"])
def test_a_missing_tensor_is_refused(save_model: Save, refusal: Refusal, name: str) -> None:
    folder = save_model("whisper-smallest")
    tensors = load_file(folder / WEIGHTS)
    del tensors[name]
    save_file(tensors, folder / WEIGHTS)
    assert f"1 weights of WhisperForConditionalGeneration are missing, the first is '{name}'" in refusal(folder)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int64, torch.bool])
def test_integers_are_refused(save_model: Save, refusal: Refusal, dtype: torch.dtype) -> None:
    folder = save_model("whisper-smallest")
    tensors = load_file(folder / WEIGHTS)
    name = "model.encoder.layers.0.fc1.weight"
    save_file(tensors | {name: torch.zeros(tensors[name].shape).to(dtype)}, folder / WEIGHTS)
    assert "expected one of F64, F32, F16, BF16" in refusal(folder)


def test_two_spellings_of_one_tensor_are_refused(save_model: Save, refusal: Refusal) -> None:
    folder = save_model("whisper-smallest")
    tensors = load_file(folder / WEIGHTS)
    name = "model.encoder.conv1.weight"
    save_file(tensors | {name.removeprefix("model."): torch.zeros(tensors[name].shape)}, folder / WEIGHTS)
    assert "are the same one" in refusal(folder)


def test_a_tensor_in_two_shards_is_refused(save_model: Save, refusal: Refusal) -> None:
    folder = save_model("whisper-smallest", limit=200_000)
    first, second, *_ = sorted(folder.glob("model-*.safetensors"))
    name, tensor = next(iter(load_file(first).items()))
    save_file(load_file(second) | {name: torch.zeros(tensor.shape[0] + 1)}, second)
    assert f"lies in {first.name} too" in refusal(folder)
