"""The tokens of a Whisper model: its tokenizer, its settings and its network must mean the same ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import PretrainedConfig, WhisperTokenizer

from myqasr_fx.errors import ModelError
from myqasr_fx.models.generation import FILE_NAME, FIRST_MULTILINGUAL_VOCABULARY, GenerationSettings
from myqasr_fx.models.json_file import read_ids, read_json
from myqasr_fx.models.refusal import place, wrong
from myqasr_fx.models.tokenizer_files import check_places, load_tokenizer, read_tokenizer_json

_TOKENIZER, _VOCABULARY, _MERGES = "tokenizer.json", "vocab.json", "merges.txt"
_SIZES = (51864, 51865, 51866)
"""Vocabularies of OpenAI's models: English-only, multilingual, and large-v3 with one more language."""

_TIMESTAMPS = 1501
"""Tokens from <|0.00|> to <|30.00|>, the last of those vocabularies."""

_IN_CONFIG = ("suppress_tokens", "begin_suppress_tokens")
_NO_TIMESTAMPS = "<|notimestamps|>"
_START = "<|startoftranscript|>"


def load_whisper_tokenizer(folder: Path) -> WhisperTokenizer:
    """The byte-level tokenizer of a folder.

    Raises:
        ModelError: It is missing, damaged, or holds anything but tokens with an id each.
    """
    added: dict[str, int] = {}
    if (folder / _TOKENIZER).is_file():
        added = read_tokenizer_json(folder / _TOKENIZER)
    elif not (folder / _VOCABULARY).is_file() or not (folder / _MERGES).is_file():
        raise ModelError(
            f"{place(folder)}: no tokenizer", hint=f"the folder needs {_TOKENIZER}, or {_VOCABULARY} and {_MERGES}"
        )
    if (folder / _VOCABULARY).is_file():
        content = read_json(folder / _VOCABULARY)
        if not read_ids(folder / _VOCABULARY, "the file", content):
            raise wrong(folder / _VOCABULARY, "the file", content, "tokens and their ids")
    tokenizer: WhisperTokenizer = load_tokenizer(folder, WhisperTokenizer, (_TOKENIZER, _VOCABULARY, _MERGES))
    check_places(folder / _TOKENIZER, added, tokenizer.get_vocab())
    return tokenizer


def whisper_settings(
    path: Path, stored: Mapping[str, Any], tokenizer: WhisperTokenizer, config: PretrainedConfig
) -> GenerationSettings:
    """Settings of a model; what ``stored`` lacks follows from the tokenizer.

    Args:
        path: Folder of the tokenizer, or its file.
        stored: Keys of a ``generation_config.json``; null is as good as absent.
        tokenizer: Of the model.
        config: Of the network, with checked sizes.

    Raises:
        ModelError: A token is missing or beyond the vocabulary, or has another id than the network was trained with.
    """
    vocabulary = tokenizer.get_vocab()
    known = {key: value for key, value in stored.items() if value is not None}
    derived = GenerationSettings.from_vocabulary(
        vocabulary,
        is_multilingual=known.get("is_multilingual", config.vocab_size >= FIRST_MULTILINGUAL_VOCABULARY),
        max_length=config.max_target_positions,
    )
    if not known:  # a folder of 2022: transformers, too, then looks into config.json
        known = {key: value for key in _IN_CONFIG if (value := getattr(config, key, None)) is not None}
    settings = GenerationSettings.from_json(derived.to_json() | known)
    last = max(vocabulary.values())
    if last >= config.vocab_size:
        raise ModelError(
            f"{place(path)}: the tokenizer has token {last}, the model only {config.vocab_size} tokens",
            hint="use the tokenizer.json of the same Whisper model",
        )
    for field, index in _ids(settings):
        if index >= config.vocab_size:
            raise wrong(Path(FILE_NAME), field, index, f"an id below the vocabulary's size, {config.vocab_size}")
    _check_meaning(path, settings, vocabulary, config)
    within = all(i < config.decoder_layers and j < config.decoder_attention_heads for i, j in settings.alignment_heads)
    return replace(
        settings,
        max_length=min(settings.max_length, config.max_target_positions),
        # a distilled model often keeps the list of its teacher, whose heads it does not have
        alignment_heads=settings.alignment_heads if within else (),
    )


def _ids(settings: GenerationSettings) -> Iterator[tuple[str, int]]:
    for field in ("suppress_tokens", "begin_suppress_tokens"):
        for index in getattr(settings, field):
            yield f"a token in {field}", index


def _check_meaning(
    path: Path, settings: GenerationSettings, vocabulary: Mapping[str, int], config: PretrainedConfig
) -> None:
    """Stops when the tokenizer and the network come from two models."""
    named = {
        _START: (settings.decoder_start_token_id, f"decoder_start_token_id of {FILE_NAME}"),
        "<|endoftext|>": (settings.eos_token_id, f"eos_token_id of {FILE_NAME}"),
        _NO_TIMESTAMPS: (settings.no_timestamps_token_id, f"no_timestamps_token_id of {FILE_NAME}"),
        "<|startofprev|>": (settings.prev_sot_token_id, f"prev_sot_token_id of {FILE_NAME}"),
        **{token: (index, f"lang_to_id of {FILE_NAME}") for token, index in settings.lang_to_id.items()},
        **{f"<|{task}|>": (index, f"task_to_id of {FILE_NAME}") for task, index in settings.task_to_id.items()},
    }
    pairs = [(token, index, origin) for token, (index, origin) in named.items()]
    pairs.append((_START, config.decoder_start_token_id, "decoder_start_token_id of config.json"))
    if config.vocab_size in _SIZES and max(vocabulary.values()) != config.vocab_size - 1:
        pairs.append((_NO_TIMESTAMPS, config.vocab_size - _TIMESTAMPS - 1, f"a vocabulary of {config.vocab_size}"))
    if "<|0.00|>" in vocabulary:
        pairs.append(("<|0.00|>", vocabulary[_NO_TIMESTAMPS] + 1, f"the place after {_NO_TIMESTAMPS}"))
    for token, index, origin in pairs:
        if vocabulary.get(token) != index:
            raise ModelError(
                f"{place(path)}: the tokenizer's {token} is {vocabulary.get(token)}, expected {index} by {origin}",
                hint="use the tokenizer.json of the same Whisper model",
            )
