"""Text from tokens, from the tokenizer files of a bundle."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from myqasr_fx.bundle.untrusted_json import read_object, short
from myqasr_fx.errors import BundleError
from myqasr_fx.models.letter_settings import LOWER_CASE, delimiter_and_between, text_of_token
from myqasr_fx.process.library_error import first_line, is_librarys
from myqasr_fx.process.native_errors import no_native_errors

_TIMESTAMP = re.compile(r"<\|\d+\.\d+\|>")
_SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")


class WhisperText:
    """The byte-level tokenizer of a Whisper model.

    Args:
        path: Its ``tokenizer.json``.

    Raises:
        BundleError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            with no_native_errors():
                self._tokenizer = Tokenizer.from_file(str(path))
        except BaseException as error:
            if not is_librarys(error):
                raise
            raise BundleError(f"{path}: cannot be read: {first_line(error)}", hint="quantize again") from error

    def decode(self, tokens: Sequence[int], skip_special_tokens: bool = False) -> str:
        """Text of tokens; those of timestamps are left out."""
        text: str = self._tokenizer.decode(list(tokens), skip_special_tokens=skip_special_tokens)
        return _TIMESTAMP.sub("", text)


@dataclass(frozen=True, slots=True, eq=False)
class CtcVocabulary:
    """The letters of a CTC model.

    Args:
        tokens: Id to token.
        word_delimiter_token: Stands between words.
        all_special_tokens: Tokens that are no text.
        replace_word_delimiter_char: What a text has between words.
        do_lower_case: Texts have no capitals, whatever tokens have.
    """

    tokens: Mapping[int, str]
    word_delimiter_token: str
    all_special_tokens: tuple[str, ...]
    replace_word_delimiter_char: str = " "
    do_lower_case: bool = False

    @classmethod
    def read(cls, folder: Path) -> CtcVocabulary:
        """From ``vocab.json`` and ``tokenizer_config.json``.

        Raises:
            BundleError: One of them cannot be read.
        """
        try:
            vocabulary, config = (read_object(folder / name) for name in ("vocab.json", "tokenizer_config.json"))
            for token, index in vocabulary.items():
                if type(index) is not int:
                    raise BundleError(f"{folder / 'vocab.json'}: id of {short(token)} is {short(index)}, no integer")
            added = {int(index): entry["content"] for index, entry in config.get("added_tokens_decoder", {}).items()}
            tokens = {index: token for token, index in vocabulary.items()} | added
            special = [text_of_token(config[name]) for name in _SPECIAL if config.get(name)]
            special += [text_of_token(token) for token in config.get("additional_special_tokens") or ()]
            delimiter, between = delimiter_and_between(config)
            return cls(tokens, delimiter, tuple(special), between, config.get(LOWER_CASE) is True)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(f"{folder}: tokenizer cannot be read: {error}", hint="quantize again") from error

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        """Token of each id; of one beyond the vocabulary, the unknown one's place is left empty."""
        return [self.tokens.get(int(index), "") for index in ids]
