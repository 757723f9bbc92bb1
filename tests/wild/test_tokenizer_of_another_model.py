"""Tokenizer and network of two models: stop when an id cannot mean what the network was trained with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from myqasr_fx.errors import ModelError
from myqasr_fx.models.load import load_model

Save = Callable[..., Path]
Change = Callable[..., None]
Refusal = Callable[[Path], str]

BYTES = 256
LANGUAGES = 99
TIMESTAMPS = 1501


@pytest.fixture
def resize(save_model: Save, change_json: Change) -> Callable[[int, int], Path]:
    """Makes a multilingual model with a real vocabulary's size and ids.

    The arguments are the size of the network's vocabulary and the number of languages in the tokenizer.
    """

    def make(vocab_size: int, languages: int, timestamps: bool = True) -> Path:
        folder = save_model("whisper-multilingual")
        tensors = load_file(folder / "model.safetensors")
        tensors["model.decoder.embed_tokens.weight"] = torch.zeros(vocab_size, 64)
        save_file(tensors, folder / "model.safetensors")
        content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        names = ["endoftext", "startoftranscript", *(f"x{index:02d}" for index in range(languages))]
        names += ["translate", "transcribe", "startoflm", "startofprev", "nocaptions", "notimestamps"]
        times = [f"{index * 0.02:.2f}" for index in range(TIMESTAMPS)] if timestamps else []
        flags: dict[str, Any] = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        padding = 50257 - BYTES  # the tokens of text, of which this tokenizer has the bytes only
        vocabulary = content["model"]["vocab"] | {f"<{index}>": BYTES + index for index in range(padding)}
        content["model"]["vocab"] = vocabulary
        content["added_tokens"] = [
            {"id": 50257 + index, "content": f"<|{name}|>", "special": index < len(names), **flags}
            for index, name in enumerate(names + times)
        ]
        (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
        start = {"decoder_start_token_id": 50258, "begin_suppress_tokens": [5, 50257]}
        ids = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), 50257)
        change_json(folder / "config.json", vocab_size=vocab_size, **start, **ids)
        for name in ("generation_config.json", "tokenizer_config.json", "special_tokens_map.json"):
            (folder / name).unlink()
        return folder

    return make


@pytest.mark.parametrize("timestamps", [False, True])
@pytest.mark.parametrize(("vocab_size", "languages"), [(51865, 99), (51866, 100)])
def test_tokenizers_of_their_own_models_work(
    resize: Callable[..., Path], vocab_size: int, languages: int, timestamps: bool
) -> None:
    model = load_model(str(resize(vocab_size, languages, timestamps)))
    assert model.generation is not None and len(model.generation.lang_to_id) == languages
    assert model.generation.no_timestamps_token_id == vocab_size - TIMESTAMPS - 1


@pytest.mark.parametrize("timestamps", [False, True])
def test_the_tokenizer_of_v2_beside_v3_is_refused(
    resize: Callable[..., Path], refusal: Refusal, timestamps: bool
) -> None:
    text = refusal(resize(51866, 99, timestamps))
    assert "<|notimestamps|> is 50363, expected 50364 by a vocabulary of 51866" in text


def test_the_tokenizer_of_v3_beside_v2_is_refused(resize: Callable[..., Path], refusal: Refusal) -> None:
    assert "the tokenizer has token 51865, the model only 51865 tokens" in refusal(resize(51865, 100))


def test_a_padded_vocabulary_works(resize: Callable[..., Path]) -> None:
    assert load_model(str(resize(51968, 99))).config.vocab_size == 51968


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"no_timestamps_token_id": 265}, r"<\|notimestamps\|> is 266, expected 265"),
        ({"decoder_start_token_id": 256}, r"<\|startoftranscript\|> is 257, expected 256"),
        ({"prev_sot_token_id": 266}, r"<\|startofprev\|> is 264, expected 266"),
        ({"eos_token_id": 0}, r"<\|endoftext\|> is 256, expected 0"),
        ({"lang_to_id": {"<|en|>": 258, "<|de|>": 260}}, r"<\|de\|> is 259, expected 260 by lang_to_id"),
        ({"lang_to_id": {"<|en|>": 258, "<|yue|>": 270}}, r"<\|yue\|> is None, expected 270 by lang_to_id"),
        ({"task_to_id": {"translate": 262, "transcribe": 261}}, r"<\|translate\|> is 261, expected 262"),
    ],
)
def test_ids_of_the_settings_are_those_of_the_tokenizer(
    save_model: Save, change_json: Change, change: dict[str, Any], expected: str
) -> None:
    folder = save_model("whisper-multilingual")
    change_json(folder / "generation_config.json", **change)
    with pytest.raises(ModelError, match=expected):
        load_model(str(folder))


def test_a_start_other_than_the_tokenizers_is_refused(save_model: Save, change_json: Change, refusal: Refusal) -> None:
    folder = save_model("whisper-multilingual")
    change_json(folder / "config.json", decoder_start_token_id=258)
    assert "<|startoftranscript|> is 257, expected 258 by decoder_start_token_id of config.json" in refusal(folder)
