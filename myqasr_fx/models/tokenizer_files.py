"""A folder's tokenizer: its files are checked, and the class that reads them is ours to choose."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from myqasr_fx.bundle.temporary_folder import temporary_folder
from myqasr_fx.errors import ModelError
from myqasr_fx.models.json_file import is_count, read_ids, read_json
from myqasr_fx.models.quiet import quiet
from myqasr_fx.models.refusal import place, reason, shown, wrong
from myqasr_fx.process.library_error import is_librarys
from myqasr_fx.process.native_errors import no_native_errors

CONFIG = "tokenizer_config.json"
_SPECIAL_MAP = "special_tokens_map.json"
_ADDED = "added_tokens.json"

_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token", "word_delimiter_token", "replace_word_delimiter_char")
_FLAGS = ("add_prefix_space", "do_lower_case", "clean_up_tokenization_spaces")
_TOKEN_LISTS = ("additional_special_tokens", "extra_special_tokens")
_LENGTH = "model_max_length"
_DECODER = "added_tokens_decoder"
_TOKEN_FLAGS = ("lstrip", "normalized", "rstrip", "single_word", "special")
_LONGEST_TOKEN = 1 << 12


def load_tokenizer(
    folder: Path,
    tokenizer_class: type[PreTrainedTokenizerBase],
    vocabulary: tuple[str, ...] | Mapping[str, Mapping[str, int]],
    settings: Mapping[str, Any] | None = None,
) -> Any:
    """Reads a tokenizer from copies of its checked files, so that no other file or setting has a say.

    Args:
        folder: Of the model.
        tokenizer_class: That reads the files.
        vocabulary: Names of the files of tokens, already checked, of which those that exist are read; or what shall
            stand in them.
        settings: What ``tokenizer_config.json`` shall say instead.

    Raises:
        ModelError: A file is damaged or holds anything but tokens and their ids.
    """
    config = {name: checked_settings(folder / name) | dict(settings or {}) for name in (CONFIG, _SPECIAL_MAP)}
    with temporary_folder() as staged:
        for name in vocabulary:
            if isinstance(vocabulary, Mapping):
                Path(staged, name).write_text(json.dumps(vocabulary[name]), encoding="utf-8")
            elif (folder / name).is_file():
                shutil.copyfile(folder / name, Path(staged, name))
        if (folder / _ADDED).exists():
            added = read_ids(folder / _ADDED, "the file", read_json(folder / _ADDED))
            Path(staged, _ADDED).write_text(json.dumps(added), encoding="utf-8")
        for name, content in config.items():
            Path(staged, name).write_text(json.dumps(content), encoding="utf-8")
        with library_errors(folder):
            return tokenizer_class.from_pretrained(str(staged), local_files_only=True)


def checked_settings(path: Path) -> dict[str, Any]:
    """The settings in a file that tell of tokens; the rest is paths, versions and names of classes.

    Raises:
        ModelError: One of them is damaged.
    """
    content, out = read_json(path) if path.exists() else {}, {}
    for key, value in content.items():
        if value is None:
            continue
        if key in _TOKENS and not _is_token(value):
            raise wrong(path, key, value, "a token: text, or an object with content and flags")
        if key in _FLAGS and not isinstance(value, bool):
            raise wrong(path, key, value, "true or false")
        if key in _TOKEN_LISTS:
            tokens = list(value.values()) if isinstance(value, dict) else value
            if not isinstance(tokens, list) or not all(map(_is_token, tokens)):
                raise wrong(path, key, value, "a list of tokens")
        if key == _DECODER:
            _check_decoder(path, value)
        if key == _LENGTH and type(value) not in (int, float):
            raise wrong(path, key, value, "a number")
        if key in (*_TOKENS, *_FLAGS, *_TOKEN_LISTS, _DECODER, _LENGTH):
            out[key] = _plain(value)
    return out


def read_tokenizer_json(path: Path) -> dict[str, int]:
    """The added tokens of a ``tokenizer.json`` and their ids, and a check of all its tokens.

    Raises:
        ModelError: It is damaged, is no byte-pair encoding, or holds anything but tokens with an id each.
    """
    content = read_json(path)
    model = content.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        kind = model.get("type") if isinstance(model, dict) else model
        raise wrong(path, "model", kind, "byte-pair encoding (BPE)")
    if not read_ids(path, "model.vocab", model.get("vocab")):
        raise wrong(path, "model.vocab", model["vocab"], "tokens and their ids")
    added = content.get("added_tokens", [])
    if not isinstance(added, list):
        raise wrong(path, "added_tokens", added, "a list of tokens")
    for token in added:
        if not _is_token(token) or not isinstance(token, dict):
            raise wrong(path, "one of added_tokens", token, "an object with content and flags")
        if not is_count(token.get("id")):
            raise wrong(path, f"the id of {shown(token['content'])}", token.get("id"), "a whole number of at least 0")
    return {token["content"]: token["id"] for token in added}


def check_places(path: Path, added: Mapping[str, int], vocabulary: Mapping[str, int]) -> None:
    """Checks that a tokenizer has its added tokens where its file says; the library counts on from the others.

    Raises:
        ModelError: A token has another id.
    """
    for token, index in added.items():
        if vocabulary.get(token) != index:
            raise wrong(path, f"the id of {shown(token)}", index, f"{vocabulary.get(token)}, the next free one")


@contextmanager
def library_errors(where: Path) -> Iterator[None]:
    """Turns whatever the tokenizers' library raises, its panics included, into one error."""
    try:
        with quiet(), no_native_errors():
            yield
    except BaseException as error:
        if not is_librarys(error):
            raise
        raise ModelError(f"{place(where)}: the tokenizer cannot be read: {reason(error)}") from error


def _check_decoder(path: Path, value: object) -> None:
    if not isinstance(value, dict):
        raise wrong(path, _DECODER, value, "an object of ids and tokens")
    for index, token in value.items():
        if not (index.isascii() and index.isdecimal() and len(index) < 10):
            raise wrong(path, f"an id in {_DECODER}", index, "a whole number of at least 0")
        if not isinstance(token, dict) or not _is_token(token):
            raise wrong(path, f"{_DECODER}[{index}]", token, "an object with content and flags")


def _plain(value: Any) -> Any:
    """``value`` with no keys of tokens but those that mean something."""
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        return {key: value[key] for key in ("content", *_TOKEN_FLAGS) if key in value}
    return {key: _plain(element) for key, element in value.items()} if isinstance(value, dict) else value


def _is_token(value: object) -> bool:
    if isinstance(value, dict):
        flags = all(isinstance(value[flag], bool) for flag in _TOKEN_FLAGS if flag in value)
        return flags and isinstance(value.get("content"), str) and _is_token(value["content"])
    if not isinstance(value, str) or len(value) > _LONGEST_TOKEN:
        return False
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in value)
