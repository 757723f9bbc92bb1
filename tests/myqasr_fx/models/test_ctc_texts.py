"""Vocabularies of one line a token."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from myqasr_fx.bundle.layout import DEFAULT, LAYOUTS
from myqasr_fx.models.client_files import write_client_files
from myqasr_fx.models.ctc_texts import TOKENS, ctc_texts, write_ctc_tokens
from myqasr_fx.models.speech_model import SpeechModel

LETTER = 7


def test_every_output_has_a_text_and_special_tokens_an_empty_one(tiny_wav2vec2: SpeechModel) -> None:
    texts, tokenizer = ctc_texts(tiny_wav2vec2), tiny_wav2vec2.tokenizer
    assert len(texts) == tiny_wav2vec2.config.vocab_size
    assert texts[tiny_wav2vec2.config.pad_token_id] == "<blk>"
    assert texts[tokenizer.get_vocab()[tokenizer.word_delimiter_token]] == "▁"
    assert texts[tokenizer.unk_token_id] == ""
    assert texts[LETTER] == tokenizer.convert_ids_to_tokens(LETTER)


def test_the_usual_layout_brings_tokens_of_two_words_a_line(tiny_wav2vec2: SpeechModel, tmp_path: Path) -> None:
    write_client_files(tiny_wav2vec2, LAYOUTS[DEFAULT], ["model.onnx"], tmp_path)
    rows = [line.split(" ") for line in (tmp_path / TOKENS).read_text(encoding="utf-8").splitlines()]
    assert [int(index) for _, index in rows] == list(range(tiny_wav2vec2.config.vocab_size))
    assert all(token for token, _ in rows)


def test_no_file_where_it_would_mislead(tiny_wav2vec2: SpeechModel, tmp_path: Path) -> None:
    plain = SimpleNamespace(do_normalize=False)
    strange = SimpleNamespace(
        all_special_tokens=["<pad>"],
        word_delimiter_token="|",
        replace_word_delimiter_char=" ",
        do_lower_case=False,
        get_vocab=lambda: {"<pad>": 0, "a b": 5},
    )
    for changed in ({"feature_extractor": plain}, {"tokenizer": strange}):
        write_ctc_tokens(replace(tiny_wav2vec2, **changed), tmp_path)  # type: ignore[arg-type]
        assert not (tmp_path / TOKENS).exists()
