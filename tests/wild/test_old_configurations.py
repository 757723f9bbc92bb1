"""Configurations of older versions and of people's own training runs, which must go on working."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.models.load import load_model
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime.ctc import CtcRuntime
from myqasr_fx.runtime.text import CtcVocabulary
from myqasr_fx.runtime.torch_runner import torch_runtime

Save = Callable[..., Path]
Change = Callable[..., None]
Refusal = Callable[[Path], str]

RETIRED = {"gradient_checkpointing": False, "_name_or_path": "/home/someone/runs/checkpoint-9000", "torch_dtype": None}


@pytest.mark.parametrize("name", ["whisper-smallest", "smallest"])
@pytest.mark.parametrize("dtype", [{"torch_dtype": "float16"}, {"dtype": "bfloat16"}, {"torch_dtype": "strange"}])
def test_retired_keys_do_no_harm(
    save_model: Save, change_json: Change, tmp_path: Path, name: str, dtype: dict[str, str]
) -> None:
    folder = save_model(name)
    expected = load_model(str(folder)).fingerprint
    change_json(folder / "config.json", **{"dtype": ...} | RETIRED | dtype)
    model = load_model(str(folder))
    assert model.fingerprint == expected
    assert {parameter.dtype for parameter in model.network.parameters()} == {torch.float32}
    model.save_configs(tmp_path / "saved")
    for path in (tmp_path / "saved").iterdir():
        assert "someone" not in path.read_text(encoding="utf-8"), path.name


def test_older_names_of_weights_are_read(save_model: Save) -> None:
    folder = save_model("wav2vec2")
    expected = load_model(str(folder)).fingerprint
    tensors = load_file(folder / "model.safetensors")
    parts = {".parametrizations.weight.original0": ".weight_g", ".parametrizations.weight.original1": ".weight_v"}
    renamed = {}
    for name, tensor in tensors.items():
        for new, old in parts.items():
            name = name.replace(new, old)
        renamed[name] = tensor
    assert renamed.keys() != tensors.keys()
    save_file(renamed, folder / "model.safetensors")
    assert load_model(str(folder)).fingerprint == expected


def test_a_stored_output_projection_is_that_of_the_embeddings(save_model: Save) -> None:
    folder = save_model("whisper-smallest")
    expected = load_model(str(folder)).fingerprint
    tensors = load_file(folder / "model.safetensors")
    save_file(
        tensors | {"proj_out.weight": tensors["model.decoder.embed_tokens.weight"].clone()},
        folder / "model.safetensors",
    )
    assert load_model(str(folder)).fingerprint == expected


def test_a_parameter_of_training_may_be_missing(save_model: Save) -> None:
    folder = save_model("wav2vec2")
    tensors = load_file(folder / "model.safetensors")
    del tensors["wav2vec2.masked_spec_embed"]
    save_file(tensors, folder / "model.safetensors")
    assert load_model(str(folder)).family.name == "ctc"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(save_model: Save, dtype: torch.dtype) -> None:
    folder = save_model("whisper-smallest")
    tensors = {name: tensor.to(dtype) for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors")
    for name, tensor in load_model(str(folder)).network.state_dict().items():
        assert tensor.dtype == torch.float32
        if name in tensors:
            assert torch.equal(tensor, tensors[name].float()), name


@pytest.mark.parametrize(
    "changes",
    [
        {"suppress_tokens": None, "begin_suppress_tokens": None},
        {"suppress_tokens": []},
        {"is_multilingual": ...},
        {"is_multilingual": None},
        {"max_length": 225},
        {"max_length": 448},
        {"forced_decoder_ids": [[1, None], [2, 262]], "no_speech_threshold": None},
        {"alignment_heads": [[10, 17], [23, 4]]},
    ],
    ids=str,
)
def test_settings_of_fine_tuned_models(save_model: Save, change_json: Change, changes: dict[str, Any]) -> None:
    folder = save_model("whisper-smallest")
    expected = load_model(str(folder)).generation
    change_json(folder / "generation_config.json", **changes)
    made = load_model(str(folder)).generation
    assert made is not None and expected is not None
    assert made.prompt() == expected.prompt()
    assert made.max_length == 32  # the decoder's positions bound it
    assert made.alignment_heads == ()  # those of a teacher with more layers mean nothing here


def test_a_configuration_without_suppressed_tokens(save_model: Save, change_json: Change) -> None:
    folder = save_model("whisper-smallest")
    change_json(folder / "config.json", suppress_tokens=None, begin_suppress_tokens=None, forced_decoder_ids=None)
    assert load_model(str(folder)).family.name == "whisper"


def spoken(model: SpeechModel) -> np.ndarray:
    samples = np.sin(np.arange(16_000, dtype=np.float32))
    return np.asarray(model.network(torch.from_numpy(model.features(samples))).logits)


def test_a_wav2vec2_with_an_adapter_and_a_projector(save_model: Save) -> None:
    folder = save_model("wav2vec2")
    config = Wav2Vec2Config.from_pretrained(folder, add_adapter=True, num_adapter_layers=2, classifier_proj_size=128)
    torch.manual_seed(0)
    Wav2Vec2ForCTC(config).save_pretrained(folder)
    model = load_model(str(folder))
    assert model.config.classifier_proj_size == 128
    expected = spoken(model)
    assert expected.shape[-1] == model.config.vocab_size
    heard = torch_runtime(model, model.capture()).logits(np.sin(np.arange(16_000, dtype=np.float32)), ())
    np.testing.assert_allclose(heard, expected[0], atol=1e-5)


@pytest.mark.parametrize("pad", [None, ...])
def test_the_networks_padding_is_the_blank_where_the_tokenizer_names_none(
    save_model: Save, change_json: Change, pad: object
) -> None:
    folder = save_model("smallest")
    vocabulary = json.loads((folder / "vocab.json").read_text())
    change_json(folder / "vocab.json", **{"<pad>": ..., "_": vocabulary["<pad>"]})
    change_json(folder / "tokenizer_config.json", pad_token=pad, added_tokens_decoder=...)
    change_json(folder / "special_tokens_map.json", pad_token=pad)
    tokenizer = load_model(str(folder)).tokenizer
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == ("_", 0)


def test_a_vocabulary_without_a_blank_is_refused(save_model: Save, change_json: Change, refusal: Refusal) -> None:
    folder = save_model("smallest")
    change_json(folder / "vocab.json", **{"<pad>": ...})
    change_json(folder / "tokenizer_config.json", pad_token=..., added_tokens_decoder=...)
    change_json(folder / "special_tokens_map.json", pad_token=...)
    assert "vocab.json: no blank" in refusal(folder)


def test_other_delimiters_and_lower_case(save_model: Save, change_json: Change, tmp_path: Path) -> None:
    folder = save_model("smallest")
    vocabulary = json.loads((folder / "vocab.json").read_text())
    lower = {(" " if token == "|" else token.lower()): index for token, index in vocabulary.items()}
    (folder / "vocab.json").write_text(json.dumps(lower))
    change_json(folder / "tokenizer_config.json", word_delimiter_token=" ", added_tokens_decoder=...)
    model = load_model(str(folder))
    ids = model.tokenizer("hi you").input_ids
    assert ids == [lower[letter] for letter in "hi you"]
    assert model.tokenizer.decode(ids) == "hi you"
    model.save_configs(tmp_path / "saved")
    assert json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())["word_delimiter_token"] == " "
    assert said(model, ids) == said(CtcVocabulary.read(tmp_path / "saved"), ids) == "hi you"


def said(tokenizer: Any, ids: list[int]) -> str:
    """What a runtime writes of the best token of every frame."""
    given = tokenizer.tokenizer if isinstance(tokenizer, SpeechModel) else tokenizer
    return CtcRuntime(None, None, given, blank=0, model_bytes=0)._text(np.array(ids))  # type: ignore[arg-type]


AS_OBJECT = {"content": "|", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"do_lower_case": True}, "hi you"),
        ({"replace_word_delimiter_char": "_"}, "HI_YOU"),
        ({"word_delimiter_token": AS_OBJECT}, "HI YOU"),
        ({"additional_special_tokens": ["Y"]}, "HI OU"),
    ],
)
def test_letters_become_a_text_as_the_settings_say(
    save_model: Save, change_json: Change, tmp_path: Path, settings: dict[str, object], expected: str
) -> None:
    folder = save_model("smallest")
    letters = json.loads((folder / "vocab.json").read_text())
    change_json(folder / "tokenizer_config.json", **settings)
    model, ids = load_model(str(folder)), [letters[letter] for letter in "HI|YOU"]
    model.save_configs(tmp_path / "saved")
    assert said(model, ids) == said(CtcVocabulary.read(tmp_path / "saved"), ids) == expected


def test_a_tokenizer_that_names_another_blank_is_right(save_model: Save, change_json: Change) -> None:
    """As transformers decodes: a network's ``pad_token_id`` may be the default of its class."""
    folder = save_model("smallest")
    letters = sorted(json.loads((folder / "vocab.json").read_text()), key=lambda token: token == "<pad>")
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(letters)}))
    change_json(folder / "tokenizer_config.json", added_tokens_decoder=...)
    change_json(folder / "config.json", pad_token_id=...)
    model = load_model(str(folder))
    assert letters[model.config.pad_token_id] == model.tokenizer.pad_token == "<pad>"
    assert torch_runtime(model, model.capture()).blank == len(letters) - 1  # type: ignore[attr-defined]


def test_a_whisper_tuned_on_one_language_is_told_it(save_model: Save, change_json: Change, tmp_path: Path) -> None:
    samples = np.sin(np.arange(16_000, dtype=np.float32))
    folder, told = save_model("whisper-multilingual"), {}
    for language in (None, "fr", "german", "<|de|>"):
        change_json(folder / "generation_config.json", language=language)
        model = load_model(str(folder))
        runtime = torch_runtime(model, model.capture())
        (heard,) = runtime.transcribe_batch([samples])
        (found,) = runtime.transcribe_batch([samples], "auto")
        told[language] = heard.language
        model.save_configs(tmp_path / "saved")
        assert GenerationSettings.read(tmp_path / "saved").language == (language and heard.language)
        assert found.language == runtime.transcribe(samples, "auto").language == told[None]
        assert runtime.transcribe(samples).language == heard.language
        assert runtime.transcribe_batch([samples], "en")[0].language == "en"
    assert told == {None: told[None], "fr": "fr", "german": "de", "<|de|>": "de"}


@pytest.mark.parametrize("language", ["klingon", 3])
def test_a_language_that_the_model_lacks_is_told(
    save_model: Save, change_json: Change, refusal: Refusal, language: object
) -> None:
    folder = save_model("whisper-multilingual")
    change_json(folder / "generation_config.json", language=language)
    assert "language" in refusal(folder)


def test_what_older_files_say_of_tokens(save_model: Save, change_json: Change) -> None:
    folder = save_model("whisper-multilingual")
    content = json.loads((folder / "generation_config.json").read_text())
    forced = [[1, content["lang_to_id"]["<|fr|>"]], [2, content["task_to_id"]["transcribe"]]]
    change_json(folder / "generation_config.json", forced_decoder_ids=forced)
    found = load_model(str(folder)).generation
    assert found is not None and found.language == "fr"
    (folder / "generation_config.json").unlink()
    change_json(folder / "config.json", suppress_tokens=[5, 7], begin_suppress_tokens=[6])
    found = load_model(str(folder)).generation
    assert found is not None
    assert (found.suppress_tokens, found.begin_suppress_tokens) == ((5, 7), (6,))
