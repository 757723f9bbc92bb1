"""Text against transformers' tokenizers."""

from pathlib import Path

import pytest

from myqasr_fx.errors import BundleError
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime.text import CtcVocabulary, WhisperText


def test_whisper(tiny_whisper_multilingual: SpeechModel, tmp_path: Path) -> None:
    tiny_whisper_multilingual.save_configs(tmp_path)
    ours, theirs = WhisperText(tmp_path / "tokenizer.json"), tiny_whisper_multilingual.tokenizer
    for ids in ([], [*range(20, 120)], [*range(0, 288)], [257, 40, 41, 256]):
        assert ours.decode(ids, skip_special_tokens=True) == theirs.decode(ids, skip_special_tokens=True)


def test_ctc(tiny_wav2vec2: SpeechModel, tmp_path: Path) -> None:
    tiny_wav2vec2.save_configs(tmp_path)
    ours, theirs = CtcVocabulary.read(tmp_path), tiny_wav2vec2.tokenizer
    ids = [*range(len(theirs))]
    assert ours.convert_ids_to_tokens(ids) == theirs.convert_ids_to_tokens(ids)
    assert ours.word_delimiter_token == theirs.word_delimiter_token
    delimiter = {ours.word_delimiter_token}
    assert set(ours.all_special_tokens) - delimiter == set(theirs.all_special_tokens) - delimiter
    assert ours.convert_ids_to_tokens([999]) == [""]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{")
    (tmp_path / "vocab.json").write_text("[]")
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(BundleError, match=r"tokenizer\.json: cannot be read"):
        WhisperText(tmp_path / "tokenizer.json")
    with pytest.raises(BundleError, match=r"vocab\.json: damaged: holds a list of 0, expected an object"):
        CtcVocabulary.read(tmp_path)
