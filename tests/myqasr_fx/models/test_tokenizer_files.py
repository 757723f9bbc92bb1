import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from myqasr_fx.models.load import load_model

Save = Callable[..., Path]
Change = Callable[..., None]
Refusal = Callable[[Path], str]

NO_IDS = ["0", None, -1, 2.0, float("nan")]


@pytest.mark.parametrize("index", [*NO_IDS, 10**9, 10**30, 31])
def test_ids_of_a_ctc_vocabulary(save_model: Save, change_json: Change, refusal: Refusal, index: object) -> None:
    folder = save_model("smallest")
    change_json(folder / "vocab.json", A=index)
    assert "vocab.json" in refusal(folder) and "expected" in refusal(folder)


@pytest.mark.parametrize("index", [*NO_IDS, 10**9, 10**30])
def test_ids_of_a_byte_level_vocabulary(save_model: Save, refusal: Refusal, index: object) -> None:
    folder = save_model("whisper-smallest")
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    content["model"]["vocab"]["a"] = index
    (folder / "tokenizer.json").write_text(json.dumps(content))
    assert "tokenizer" in refusal(folder)


@pytest.mark.parametrize("index", [*NO_IDS, 10**9])
def test_ids_of_added_tokens(save_model: Save, refusal: Refusal, index: object) -> None:
    folder = save_model("whisper-smallest")
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    content["added_tokens"][-1]["id"] = index
    (folder / "tokenizer.json").write_text(json.dumps(content))
    assert "token" in refusal(folder)


@pytest.mark.parametrize("name", ["whisper-smallest", "smallest"])
@pytest.mark.parametrize("content", ["{}", "[]", "", "{", "null", '{"a": {}}', '{"a": 0, "b": 0}', "[" * 200_000])
def test_a_broken_vocabulary_is_refused(save_model: Save, refusal: Refusal, name: str, content: str) -> None:
    folder = save_model(name)
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(content)
    assert "vocab.json" in refusal(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"model": None},
        {"model": {"type": "Unigram"}},
        {"model": {"vocab": {}}},
        {"added_tokens": {}},
        {"added_tokens": [None]},
        {"added_tokens": [{"id": 256}]},
        {"decoder": {"type": "x"}},
    ],
    ids=str,
)
def test_a_broken_tokenizer_is_refused(
    save_model: Save, change_json: Change, refusal: Refusal, change: dict[str, Any]
) -> None:
    folder = save_model("whisper-smallest")
    change_json(folder / "tokenizer.json", **change)
    assert "token" in refusal(folder)


@pytest.mark.parametrize("name", ["whisper-smallest", "smallest"])
@pytest.mark.parametrize(
    "change",
    [
        {"pad_token": 7},
        {"eos_token": ["x"]},
        {"unk_token": {"content": 7}},
        {"bos_token": {"content": "<s>", "lstrip": "no"}},
        {"bos_token": "\ud800"},
        {"bos_token": "x" * 100_000},
        {"additional_special_tokens": "x"},
        {"extra_special_tokens": [7]},
        {"added_tokens_decoder": []},
        {"added_tokens_decoder": {"x": {"content": "a"}}},
        {"added_tokens_decoder": {"-1": {"content": "a"}}},
        {"added_tokens_decoder": {"99999999999": {"content": "a"}}},
        {"added_tokens_decoder": {"1": "a"}},
        {"model_max_length": "x"},
        {"do_lower_case": "x"},
    ],
    ids=lambda change: str(change)[:60].encode("ascii", "replace").decode(),
)
def test_broken_settings_are_refused(
    save_model: Save, change_json: Change, refusal: Refusal, name: str, change: dict[str, Any]
) -> None:
    folder = save_model(name)
    change_json(folder / "tokenizer_config.json", **change)
    text = refusal(folder)
    assert "tokenizer_config.json" in text and next(iter(change)) in text


def test_half_a_surrogate_pair_is_no_token(save_model: Save, change_json: Change, refusal: Refusal) -> None:
    folder = save_model("smallest")
    change_json(folder / "vocab.json", A=..., **{"\ud800": 5})
    assert "expected a token that UTF-8 can hold" in refusal(folder)


def test_a_tokenizer_class_of_another_kind_is_refused(save_model: Save, change_json: Change, refusal: Refusal) -> None:
    folder = save_model("smallest")
    change_json(folder / "tokenizer_config.json", tokenizer_class="Wav2Vec2PhonemeCTCTokenizer")
    assert "tokenizer_class is 'Wav2Vec2PhonemeCTCTokenizer', expected Wav2Vec2CTCTokenizer" in refusal(folder)


def test_tokens_from_the_older_files_are_the_same(save_model: Save) -> None:
    folder = save_model("whisper-smallest")
    expected = load_model(str(folder)).tokenizer
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    added = {token["content"]: token["id"] for token in content["added_tokens"]}
    (folder / "tokenizer.json").unlink()
    (folder / "added_tokens.json").write_text(json.dumps(added))
    assert load_model(str(folder)).tokenizer.get_vocab() == expected.get_vocab()


def test_nothing_is_left_behind(save_model: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    folder = save_model("smallest")
    before = sorted(folder.iterdir())
    load_model(str(folder))
    assert sorted(folder.iterdir()) == before and not list(place.iterdir())
