"""The tokens of a CTC model: a letter each, and the blank."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PretrainedConfig, PreTrainedTokenizerBase, Wav2Vec2CTCTokenizer

from myqasr_fx.errors import ModelError
from myqasr_fx.models.json_file import read_ids, read_json
from myqasr_fx.models.letter_settings import BETWEEN, DELIMITER, delimiter_and_between
from myqasr_fx.models.refusal import place, shown, wrong
from myqasr_fx.models.tokenizer_files import CONFIG, checked_settings, load_tokenizer

_VOCABULARY = "vocab.json"
_CLASSES = ("Wav2Vec2CTCTokenizer", "Wav2Vec2Tokenizer", None)


def load_ctc_tokenizer(folder: Path, config: PretrainedConfig, language: str | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder; one that names no blank of its own takes the network's ``pad_token_id``.

    Args:
        folder: Of the model.
        config: Of the network, with checked sizes; gets the ``pad_token_id`` of a tokenizer that names another blank,
            which transformers decodes with.
        language: Whose vocabulary to take, of a file with one for each; None for a file with one.

    Raises:
        ModelError: It is missing or damaged, has tokens that the network does not, or has no blank.
    """
    path = folder / _VOCABULARY
    if not path.is_file():  # transformers would make up an empty one
        raise ModelError(f"{place(folder)}: no tokenizer", hint=f"the folder needs {_VOCABULARY}")
    settings = read_json(folder / CONFIG) if (folder / CONFIG).exists() else {}
    kind = settings.get("tokenizer_class")
    if kind not in _CLASSES:
        raise wrong(folder / CONFIG, "tokenizer_class", kind, str(_CLASSES[0]))
    vocabulary = _read(path, config, language)
    delimiter, between = delimiter_and_between(checked_settings(folder / CONFIG))
    words = {DELIMITER: delimiter, BETWEEN: between}
    tokenizer = load_tokenizer(folder, Wav2Vec2CTCTokenizer, {_VOCABULARY: vocabulary}, words)
    is_blank = tokenizer.pad_token_id == config.pad_token_id and tokenizer.pad_token_id < config.vocab_size
    if tokenizer.pad_token not in vocabulary and not is_blank:  # then transformers made one up
        blank = _blank(path, vocabulary, config)
        told = {**words, "pad_token": blank}
        tokenizer = load_tokenizer(folder, Wav2Vec2CTCTokenizer, {_VOCABULARY: vocabulary}, told)
    config.pad_token_id = tokenizer.pad_token_id
    # transformers forgets a delimiter that is a space: its own, "|", comes back, and spaces are no text.
    tokenizer.word_delimiter_token = tokenizer._word_delimiter_token = delimiter
    return tokenizer


def _read(path: Path, config: PretrainedConfig, language: str | None) -> Mapping[str, int]:
    content: Any = read_json(path)
    if language is not None:
        if not isinstance(content.get(language), dict):
            raise ModelError(
                f"{place(path)}: has no vocabulary of language {shown(language)}, whose adapter is there",
                hint="copy the model again",
            )
        content = content[language]
    elif any(isinstance(value, dict) for value in content.values()):
        raise ModelError(
            f"{place(path)}: has vocabularies of several languages, expected one",
            hint="save the tokenizer of one language with transformers' set_target_lang and save_pretrained",
        )
    vocabulary = read_ids(path, "the file", content)
    if not vocabulary:
        raise wrong(path, "the file", content, "tokens and their ids")
    last = max(vocabulary.values())
    if last >= config.vocab_size:
        raise wrong(path, "the highest id", last, f"one below the network's vocab_size, {config.vocab_size}")
    return vocabulary


def _blank(path: Path, vocabulary: Mapping[str, int], config: PretrainedConfig) -> str:
    for token, index in vocabulary.items():
        if index == config.pad_token_id:
            return token
    raise ModelError(
        f"{place(path)}: no blank: pad_token is no token, and pad_token_id of config.json is {config.pad_token_id}",
        hint=f"name the blank as pad_token in {CONFIG}",
    )
