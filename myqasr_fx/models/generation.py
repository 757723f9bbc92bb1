"""How a Whisper model is prompted and which tokens it may write. Needs no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from myqasr_fx.errors import ModelError
from myqasr_fx.models.json_file import is_count, read_ids, read_json
from myqasr_fx.models.languages import find_language, known_languages, language_code
from myqasr_fx.models.refusal import reason, wrong

FILE_NAME = "generation_config.json"

FIRST_MULTILINGUAL_VOCABULARY = 51865
"""English-only models have 51,864 tokens, multilingual ones more."""

_PATH = Path(FILE_NAME)
_IDS = ("decoder_start_token_id", "eos_token_id", "no_timestamps_token_id", "prev_sot_token_id")
LEAST_LENGTH = 5
"""Four tokens of the prompt, and one."""

_END = "<|endoftext|>"
_START = "<|startoftranscript|>"
_TASKS = ("translate", "transcribe")


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """Content of ``generation_config.json``, under that file's names; tokens are ids.

    Args:
        decoder_start_token_id: ``<|startoftranscript|>``.
        eos_token_id: ``<|endoftext|>``; also pads.
        no_timestamps_token_id: ``<|notimestamps|>``.
        prev_sot_token_id: ``<|startofprev|>``.
        max_length: Tokens of a transcript at most, prompt included.
        is_multilingual: False for English-only models, which take no language and task tokens.
        lang_to_id: Language token, for example ``<|de|>``, to its id; empty when English-only.
        task_to_id: ``transcribe`` and ``translate`` to their ids; empty when English-only.
        suppress_tokens: Never written.
        begin_suppress_tokens: Not written right after the prompt.
        alignment_heads: (layer, head) of the cross-attention that follows time; empty when unknown.
        language: Code of the language that the decoder is told where nobody says one, as models tuned on one language
            have it; None: it finds one out.
    """

    decoder_start_token_id: int
    eos_token_id: int
    no_timestamps_token_id: int
    prev_sot_token_id: int
    max_length: int
    is_multilingual: bool
    lang_to_id: Mapping[str, int] = field(default_factory=dict)
    task_to_id: Mapping[str, int] = field(default_factory=dict)
    suppress_tokens: tuple[int, ...] = ()
    begin_suppress_tokens: tuple[int, ...] = ()
    alignment_heads: tuple[tuple[int, int], ...] = ()
    language: str | None = None

    def __post_init__(self) -> None:
        for name in _IDS:
            if not is_count(getattr(self, name)):
                raise wrong(_PATH, name, getattr(self, name), "a token's id: a whole number of at least 0")
        if not is_count(self.max_length, LEAST_LENGTH):
            raise wrong(_PATH, "max_length", self.max_length, f"a whole number of at least {LEAST_LENGTH}")
        if not isinstance(self.is_multilingual, bool):
            raise wrong(_PATH, "is_multilingual", self.is_multilingual, "true or false")
        for name in ("lang_to_id", "task_to_id"):
            value = getattr(self, name)
            ids = read_ids(_PATH, name, dict(value) if isinstance(value, Mapping) else value)
            object.__setattr__(self, name, MappingProxyType(dict(ids)))
        if strange := next((t for t in self.lang_to_id if not re.fullmatch(r"<\|[\w-]{2,16}\|>", t)), None):
            raise wrong(_PATH, "a token of lang_to_id", strange, "a language between <| and |>")
        if self.is_multilingual and not (self.lang_to_id and set(_TASKS) <= set(self.task_to_id)):
            raise ModelError("a multilingual model without language or task tokens", hint="use its own tokenizer.json")
        for name in ("suppress_tokens", "begin_suppress_tokens"):
            value = getattr(self, name)
            tokens = () if value is None else value
            if not isinstance(tokens, list | tuple) or not all(map(is_count, tokens)):
                raise wrong(_PATH, name, value, "a list of token ids")
            object.__setattr__(self, name, tuple(tokens))
        object.__setattr__(self, "alignment_heads", _pairs(self.alignment_heads))
        object.__setattr__(self, "language", self._own_language())

    @classmethod
    def from_vocabulary(
        cls, vocabulary: Mapping[str, int], *, is_multilingual: bool, max_length: int
    ) -> GenerationSettings:
        """What the tokens alone tell: nothing is suppressed but an empty start, and alignment heads stay unknown.

        Raises:
            ModelError: A special token of Whisper is missing.
        """
        start, translate = _token(vocabulary, _START), _token(vocabulary, "<|translate|>")
        languages = {t: i for t, i in sorted(vocabulary.items(), key=lambda item: item[1]) if start < i < translate}
        tasks = {name: _token(vocabulary, f"<|{name}|>") for name in _TASKS}
        end = _token(vocabulary, _END)
        blank = [vocabulary["Ġ"]] if "Ġ" in vocabulary else []  # byte-level BPE's space
        return cls(
            decoder_start_token_id=start,
            eos_token_id=end,
            no_timestamps_token_id=_token(vocabulary, "<|notimestamps|>"),
            prev_sot_token_id=_token(vocabulary, "<|startofprev|>"),
            max_length=max_length,
            is_multilingual=is_multilingual,
            lang_to_id=languages if is_multilingual else {},
            task_to_id=tasks if is_multilingual else {},
            begin_suppress_tokens=(*blank, end),
        )

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> GenerationSettings:
        """Settings of a ``generation_config.json``; other keys are not looked at.

        Raises:
            ModelError: A key is missing or malformed.
        """
        names = {f.name for f in fields(cls)}
        known = {key: value for key, value in content.items() if key in names}
        if known.get("language") is None:
            known["language"] = _forced_language(content)
        try:
            return cls(**known)
        except (TypeError, ValueError) as error:
            raise ModelError(f"{FILE_NAME} is not that of a Whisper model: {reason(error)}") from error

    @classmethod
    def read(cls, folder: Path) -> GenerationSettings:
        """Settings of ``folder/generation_config.json``.

        Raises:
            ModelError: The file is missing, no JSON, or incomplete.
        """
        return cls.from_json(read_json(folder / FILE_NAME))

    def to_json(self) -> dict[str, Any]:
        """Content of ``generation_config.json`` as Optimum, transformers and transformers.js read it."""
        content: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        content |= {"lang_to_id": dict(self.lang_to_id), "task_to_id": dict(self.task_to_id)}
        empty_is_absent = ("lang_to_id", "task_to_id", "alignment_heads", "language")
        content = {key: value for key, value in content.items() if value or key not in empty_is_absent}
        content |= {
            "bos_token_id": self.eos_token_id,
            "pad_token_id": self.eos_token_id,
            "max_initial_timestamp_index": 50,
            "return_timestamps": False,
        }
        return dict(sorted(content.items()))

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages, ``en`` first in the order of their ids; only ``en`` when English-only."""
        return tuple(token[2:-2] for token in self.lang_to_id) or ("en",)

    @property
    def no_speech_token_id(self) -> int | None:
        """``<|nospeech|>``, in older vocabularies ``<|nocaptions|>``; None for a vocabulary without it.

        ``generation_config.json`` has no key for it: it stands between ``<|startofprev|>`` and ``<|notimestamps|>``.
        """
        token = self.no_timestamps_token_id - 1
        return token if token == self.prev_sot_token_id + 1 else None

    def language_code(self, language: str) -> str:
        """Code of a language given as a code or an English name, with or without a region.

        Raises:
            ModelError: The model does not know it.
        """
        if not self.is_multilingual and find_language(language, self.languages) is None:
            raise ModelError(f"an English-only model knows no {language[:40]!r}", hint="take a multilingual model")
        return language_code(language, self.languages)

    def _own_language(self) -> str | None:
        """The code of ``language``, which transformers also takes as a token; None for one that says nothing."""
        if self.language is None or not self.is_multilingual:
            return None
        if not isinstance(self.language, str):
            raise wrong(_PATH, "language", self.language, "a language, such as de")
        return self.language_code(self.language.removeprefix("<|").removesuffix("|>"))

    @property
    def first_timestamp_id(self) -> int:
        """``<|0.00|>``; those behind it are 20 ms apart."""
        return self.no_timestamps_token_id + 1

    def prompt(
        self, language: str | None = None, task: str = "transcribe", *, timestamps: bool = False
    ) -> tuple[int, ...]:
        """Tokens that the decoder starts from.

        Args:
            language: Code such as ``de``, or English name. An English-only model needs none; a multilingual one takes
                the most likely of ``lang_to_id`` after ``decoder_start_token_id``, which the caller finds out.
            task: ``transcribe`` or ``translate``.
            timestamps: Whether the decoder writes times.

        Raises:
            ModelError: The model does not know the language or the task, or needs a language.
        """
        untimed = () if timestamps else (self.no_timestamps_token_id,)
        if not self.is_multilingual:
            if task != "transcribe":
                raise ModelError(f"an English-only model cannot {task}", hint="take a multilingual model")
            if language is not None:
                self.language_code(language)
            return (self.decoder_start_token_id, *untimed)
        if language is None or task not in self.task_to_id:
            missing = "without a language" if language is None else f"{language!r}"
            raise ModelError(f"the model cannot {task} {missing}", hint=known_languages(self.languages))
        token = f"<|{self.language_code(language)}|>"
        return (self.decoder_start_token_id, self.lang_to_id[token], self.task_to_id[task], *untimed)


def _pairs(heads: Any) -> tuple[tuple[int, int], ...]:
    """Alignment heads as pairs of numbers.

    Raises:
        ModelError: They are anything else.
    """
    listed = () if heads is None else heads
    if not isinstance(listed, list | tuple):
        raise wrong(_PATH, "alignment_heads", heads, "a list of [layer, head]")
    for pair in listed:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(map(is_count, pair)):
            raise wrong(_PATH, "one of alignment_heads", pair, "[layer, head]")
    return tuple((layer, head) for layer, head in listed)


def _forced_language(content: Mapping[str, Any]) -> str | None:
    """The language that ``forced_decoder_ids`` of an older file tells behind the start, as a token."""
    forced, languages = content.get("forced_decoder_ids"), content.get("lang_to_id")
    if not isinstance(forced, list) or not isinstance(languages, Mapping):
        return None
    return next((token for token, index in languages.items() if [1, index] in forced), None)


def _token(vocabulary: Mapping[str, int], token: str) -> int:
    if token not in vocabulary:
        raise ModelError(f"the tokenizer has no token {token}", hint="use the tokenizer.json of a Whisper model")
    return vocabulary[token]
