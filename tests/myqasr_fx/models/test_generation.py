import json
import subprocess
import sys
from pathlib import Path

import pytest

from myqasr_fx.errors import ModelError
from myqasr_fx.models.generation import GenerationSettings

TOKENS = ("endoftext", "startoftranscript", "en", "de", "haw", "translate", "transcribe", "startofprev", "notimestamps")
VOCABULARY = {"a": 0, "Ġ": 1} | {f"<|{token}|>": 10 + index for index, token in enumerate(TOKENS)}


def settings(is_multilingual: bool = True) -> GenerationSettings:
    return GenerationSettings.from_vocabulary(VOCABULARY, is_multilingual=is_multilingual, max_length=448)


def test_multilingual_settings_follow_from_the_tokens() -> None:
    made = settings()
    assert made.lang_to_id == {"<|en|>": 12, "<|de|>": 13, "<|haw|>": 14}
    assert made.task_to_id == {"translate": 15, "transcribe": 16}
    assert made.languages == ("en", "de", "haw")
    assert made.begin_suppress_tokens == (1, 10)
    assert made.prompt("de") == (11, 13, 16, 18)
    assert made.prompt("haw", "translate") == (11, 14, 15, 18)


def test_english_only_settings_have_no_languages() -> None:
    made = settings(is_multilingual=False)
    assert made.prompt() == made.prompt("en") == (11, 18)
    assert made.languages == ("en",)
    assert not {"lang_to_id", "task_to_id"} & made.to_json().keys()


@pytest.mark.parametrize(("language", "task"), [("fr", "transcribe"), (None, "transcribe"), ("de", "sing")])
def test_unknown_language_or_task_is_an_error(language: str | None, task: str) -> None:
    with pytest.raises(ModelError, match="it knows en, de, haw"):
        settings().prompt(language, task)


@pytest.mark.parametrize(("language", "task"), [("de", "transcribe"), ("en", "translate")])
def test_english_only_refuses_more(language: str, task: str) -> None:
    with pytest.raises(ModelError, match="English-only"):
        settings(is_multilingual=False).prompt(language, task)


@pytest.mark.parametrize("language", ["German", "DE", "de-AT", "de"])
def test_languages_are_known_by_code_name_and_region(language: str) -> None:
    assert settings().prompt(language) == settings().prompt("de")
    assert settings().language_code(language) == "de"
    assert settings(is_multilingual=False).prompt("en-US") == (11, 18)


def test_the_no_speech_token_has_its_place_or_is_none() -> None:
    assert settings().no_speech_token_id is None
    real = {token: index for index, token in enumerate(VOCABULARY) if "notimestamps" not in token}
    real |= {"<|nocaptions|>": len(real), "<|notimestamps|>": len(real) + 1}
    made = GenerationSettings.from_vocabulary(real, is_multilingual=True, max_length=448)
    assert made.no_speech_token_id == real["<|nocaptions|>"]


@pytest.mark.parametrize("is_multilingual", [True, False])
def test_json_round_trip(is_multilingual: bool, tmp_path: Path) -> None:
    made = settings(is_multilingual)
    (tmp_path / "generation_config.json").write_text(json.dumps(made.to_json()))
    assert GenerationSettings.read(tmp_path) == made


def test_json_holds_what_clients_read() -> None:
    keys = "decoder_start_token_id eos_token_id bos_token_id pad_token_id no_timestamps_token_id prev_sot_token_id"
    keys += " is_multilingual lang_to_id task_to_id suppress_tokens begin_suppress_tokens max_length return_timestamps"
    assert set(keys.split()) <= settings().to_json().keys()


def test_missing_special_token_is_named() -> None:
    vocabulary = {token: index for token, index in VOCABULARY.items() if token != "<|startofprev|>"}
    with pytest.raises(ModelError, match="startofprev"):
        GenerationSettings.from_vocabulary(vocabulary, is_multilingual=True, max_length=448)


@pytest.mark.parametrize("change", [{"eos_token_id": None}, {"lang_to_id": {}}, {"alignment_heads": [1]}])
def test_incomplete_json_is_an_error(change: dict[str, object]) -> None:
    content = settings().to_json() | change
    with pytest.raises(ModelError):
        GenerationSettings.from_json({key: value for key, value in content.items() if value is not None})


@pytest.mark.parametrize("value", ["1", [["1"]], ["1"], [1.5], [-1], [True], [None], [float("nan")], {"a": 1}, 7])
@pytest.mark.parametrize("field", ["suppress_tokens", "begin_suppress_tokens", "alignment_heads"])
def test_lists_of_anything_but_ids_are_an_error(field: str, value: object) -> None:
    with pytest.raises(ModelError, match=rf"generation_config\.json: .*{field} is .*, expected"):
        GenerationSettings.from_json(settings().to_json() | {field: value})


@pytest.mark.parametrize("heads", [[[1]], [[1, 2, 3]], [[1, 1.5]], [[1, -1]], [[1, float("inf")]], [[[1, 2], [3, 4]]]])
def test_alignment_heads_of_another_shape_are_an_error(heads: object) -> None:
    with pytest.raises(ModelError, match=r"one of alignment_heads is .*, expected \[layer, head\]"):
        GenerationSettings.from_json(settings().to_json() | {"alignment_heads": heads})


@pytest.mark.parametrize("value", ["10", -1, 1.5, True, [10], float("nan")])
@pytest.mark.parametrize("field", ["eos_token_id", "decoder_start_token_id", "no_timestamps_token_id", "max_length"])
def test_ids_that_are_no_ids_are_an_error(field: str, value: object) -> None:
    with pytest.raises(ModelError, match=f"{field} is .*, expected"):
        GenerationSettings.from_json(settings().to_json() | {field: value})


@pytest.mark.parametrize(
    "languages", [[12], "en", {"<|en|>": "12"}, {"<|en|>": None}, {"en": 12}, {"<|\x1b[31m|>": 12}, {"<|en|>": -1}]
)
def test_languages_that_are_no_ids_are_an_error(languages: object) -> None:
    with pytest.raises(ModelError, match=r"lang_to_id.* expected"):
        GenerationSettings.from_json(settings().to_json() | {"lang_to_id": languages})


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"generation_config\.json"):
        GenerationSettings.read(tmp_path)


def test_needs_no_torch() -> None:
    code = "import sys, myqasr_fx.models.generation, myqasr_fx.audio; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
