from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

Save = Callable[..., Path]
Change = Callable[..., None]
Refusal = Callable[[Path], str]

NUMBERS = ("vocab_size", "d_model", "num_mel_bins", "max_source_positions", "max_target_positions", "encoder_layers")
NUMBERS += ("decoder_layers", "encoder_ffn_dim", "decoder_ffn_dim", "encoder_attention_heads")
NUMBERS += ("decoder_attention_heads",)

EMBEDDING = "model.decoder.embed_tokens.weight"


@pytest.mark.parametrize("value", [0, 7, 10**30, 2.5, True])
@pytest.mark.parametrize("field", NUMBERS)
def test_a_number_is_refused(
    save_model: Save, change_json: Change, refusal: Refusal, field: str, value: object
) -> None:
    folder = save_model("whisper")
    change_json(folder / "config.json", **{field: value})
    text = refusal(folder)
    assert text.startswith(str(folder / "config.json")) and field in text and "expected" in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"encoder_layers": 1}, "encoder_layers is 1, expected 2 as in model.encoder.layers.*"),
        ({"decoder_layers": 1}, "decoder_layers is 1, expected 2 as in model.decoder.layers.*"),
        ({"num_hidden_layers": 1}, "num_hidden_layers is 1, expected 2 as in encoder_layers"),
        ({"num_hidden_layers": 1, "encoder_layers": ...}, "encoder_layers is 1, expected 2"),
        ({"num_attention_heads": 2.5}, "num_attention_heads is 2.5, expected 2 as in encoder_attention_heads"),
        ({"vocab_size": 289}, "vocab_size is 289, expected 288 as in model.decoder.embed_tokens.weight"),
        ({"max_target_positions": 3}, "max_target_positions is 3, expected 32"),
        ({"decoder_attention_heads": 7}, "decoder_attention_heads is 7, expected a whole number that divides"),
        ({"pad_token_id": 288}, "pad_token_id is 288, expected an id below vocab_size, 288"),
        ({"eos_token_id": [256]}, "eos_token_id is [256], expected an id below"),
        ({"suppress_tokens": [1, 10**6]}, "a token in suppress_tokens is 1000000, expected an id below"),
        ({"suppress_tokens": "1,2"}, "suppress_tokens is '1,2', expected a list"),
        ({"begin_suppress_tokens": [1.5]}, "begin_suppress_tokens is [1.5], expected a list"),
        ({"activation_function": "sing"}, "activation_function is 'sing', expected one of"),
        ({"dropout": 2}, "dropout is 2, expected a number from 0 to 1"),
        ({"encoder_layers": float("inf")}, "encoder_layers is Infinity, expected a whole number"),
        ({"encoder_layers": 100_000}, "encoder_layers is 100000, expected 2 as in"),
        ({"decoder_attention_heads": -1}, "decoder_attention_heads is -1, expected a whole number that divides"),
        ({"encoder_ffn_dim": 2.0}, "encoder_ffn_dim is 2.0, expected a whole number"),
        ({"d_model": [2]}, "d_model is [2], expected a whole number"),
        ({"init_std": float("nan")}, "init_std is NaN, expected a number"),
        ({"scale_embedding": 1}, "scale_embedding is 1, expected true or false"),
    ],
    ids=str,
)
def test_the_message_names_what_was_expected(
    save_model: Save, change_json: Change, refusal: Refusal, changes: dict[str, Any], expected: str
) -> None:
    folder = save_model("whisper")
    change_json(folder / "config.json", **changes)
    assert expected in refusal(folder)


def shrunk(tensors: Mapping[str, torch.Tensor], name: str, shape: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {**tensors, name: torch.zeros(shape)}


@pytest.mark.parametrize("mel_bins", [1, 5_000])
def test_mel_bins_that_no_model_has_are_refused(
    save_model: Save, change_json: Change, refusal: Refusal, mel_bins: int
) -> None:
    folder = save_model("whisper-smallest")
    tensors = load_file(folder / "model.safetensors")
    save_file(shrunk(tensors, "model.encoder.conv1.weight", (64, mel_bins, 3)), folder / "model.safetensors")
    change_json(folder / "config.json", num_mel_bins=mel_bins)
    for name in ("preprocessor_config.json", "processor_config.json"):
        (folder / name).unlink()
    change_json(folder / "preprocessor_config.json", feature_size=mel_bins)
    assert f"num_mel_bins is {mel_bins}, expected a whole number from 8 to 201" in refusal(folder)


@pytest.mark.parametrize("positions", [1, 3])
def test_text_positions_without_room_for_the_prompt_are_refused(
    save_model: Save, change_json: Change, refusal: Refusal, positions: int
) -> None:
    folder = save_model("whisper-smallest")
    tensors = load_file(folder / "model.safetensors")
    name = "model.decoder.embed_positions.weight"
    save_file(shrunk(tensors, name, (positions, 64)), folder / "model.safetensors")
    change_json(folder / "config.json", max_target_positions=positions)
    assert f"max_target_positions is {positions}, expected a whole number from 8" in refusal(folder)


@pytest.mark.parametrize("shape", [(), (288, 64, 1), (288, 0)])
@pytest.mark.parametrize(
    "name",
    [EMBEDDING, "model.encoder.embed_positions.weight", "model.encoder.layers.0.fc1.bias"],
)
def test_tensors_of_another_rank_are_refused(
    save_model: Save, refusal: Refusal, name: str, shape: tuple[int, ...]
) -> None:
    folder = save_model("whisper-smallest")
    save_file(shrunk(load_file(folder / "model.safetensors"), name, shape), folder / "model.safetensors")
    assert "expected" in refusal(folder)


@pytest.mark.parametrize("rows", [287, 289, 1])
def test_an_embedding_stored_twice_in_two_sizes_is_refused(save_model: Save, refusal: Refusal, rows: int) -> None:
    folder = save_model("whisper-smallest")
    tensors = load_file(folder / "model.safetensors")
    save_file(shrunk(tensors, "proj_out.weight", (rows, 64)), folder / "model.safetensors")
    assert f"'proj_out.weight' has shape [{rows}, 64], expected [288, 64]" in refusal(folder)
