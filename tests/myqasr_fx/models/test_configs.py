import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoFeatureExtractor, AutoProcessor, AutoTokenizer, GenerationConfig

from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.models.speech_model import SpeechModel

COMMON = {
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
}


@pytest.fixture(params=["tiny_whisper", "tiny_whisper_multilingual", "tiny_wav2vec2"])
def model(request: pytest.FixtureRequest) -> SpeechModel:
    loaded: SpeechModel = request.getfixturevalue(request.param)
    return loaded


def read(path: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return content


def test_writes_what_clients_read(model: SpeechModel, tmp_path: Path) -> None:
    model.save_configs(tmp_path / "new" / "folder")
    names = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    assert names == COMMON | ({"generation_config.json", "merges.txt"} if model.generation else set())


def test_two_runs_write_the_same_bytes(model: SpeechModel, tmp_path: Path) -> None:
    for name in ("a", "b"):
        model.save_configs(tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_tells_nothing_of_this_machine(model: SpeechModel, tmp_path: Path) -> None:
    model.save_configs(tmp_path)
    for path in tmp_path.iterdir():
        text = path.read_text(encoding="utf-8")
        assert str(tmp_path.parent) not in text, path.name
        assert "is_local" not in text, path.name


def test_transformers_reads_it_back(model: SpeechModel, tmp_path: Path) -> None:
    model.save_configs(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    assert type(processor).__name__ == ("WhisperProcessor" if model.generation else "Wav2Vec2Processor")
    assert AutoFeatureExtractor.from_pretrained(tmp_path).to_dict() == processor.feature_extractor.to_dict()
    assert AutoConfig.from_pretrained(tmp_path).to_diff_dict() == model.config.to_diff_dict()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert type(tokenizer) is type(model.tokenizer)
    assert tokenizer.get_vocab() == model.tokenizer.get_vocab()
    ids = list(range(5, 30))
    assert tokenizer.decode(ids) == model.tokenizer.decode(ids)


def test_preprocessor_config_stands_alone(model: SpeechModel, tmp_path: Path) -> None:
    """Before version 5 there was no extractor in ``processor_config.json``."""
    model.save_configs(tmp_path)
    (tmp_path / "processor_config.json").unlink()
    extractor = AutoFeatureExtractor.from_pretrained(tmp_path)
    assert extractor.to_dict().items() >= model.feature_extractor.to_dict().items()


def test_tokenizer_config_has_no_version_5_keys(model: SpeechModel, tmp_path: Path) -> None:
    """Version 4 stops at ``extra_special_tokens`` when it is a list."""
    model.save_configs(tmp_path)
    content = read(tmp_path / "tokenizer_config.json")
    assert not {"extra_special_tokens", "backend", "is_local"} & content.keys()
    assert content["tokenizer_class"] == type(model.tokenizer).__name__
    assert {"unk_token", "pad_token", "eos_token"} <= read(tmp_path / "special_tokens_map.json").keys()


def test_whisper_settings_are_complete(tiny_whisper_multilingual: SpeechModel, tmp_path: Path) -> None:
    tiny_whisper_multilingual.save_configs(tmp_path)
    assert GenerationSettings.read(tmp_path) == tiny_whisper_multilingual.generation
    loaded = GenerationConfig.from_pretrained(tmp_path)
    assert loaded.lang_to_id == {"<|en|>": 258, "<|de|>": 259, "<|fr|>": 260}
    assert loaded.is_multilingual is True


def test_whisper_special_tokens_are_skipped(tiny_whisper_multilingual: SpeechModel, tmp_path: Path) -> None:
    tiny_whisper_multilingual.save_configs(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    ids = [257, 258, 262, 266, *tokenizer("hello", add_special_tokens=False).input_ids, 256]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "hello"
    assert Tokenizer.from_file(str(tmp_path / "tokenizer.json")).decode(ids) == "hello"
    vocabulary = read(tmp_path / "vocab.json")
    assert len(vocabulary) == 256
    assert (tmp_path / "merges.txt").read_text().startswith("#version")


def test_ctc_tokenizer_json_merges_and_drops_blanks(tiny_wav2vec2: SpeechModel, tmp_path: Path) -> None:
    tiny_wav2vec2.save_configs(tmp_path)
    fast = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert fast.encode("HI YOU").ids == tiny_wav2vec2.tokenizer("HI YOU").input_ids
    ids = fast.encode("HI").ids
    assert fast.decode([0, ids[0], ids[0], 0, ids[0], ids[1], 4, 4, ids[1], 0]) == "HHI I"
