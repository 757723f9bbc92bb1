"""Manifests: one JSON object a line with ``audio``, ``text`` and whatever else describes the recording."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any

from myqasr_fx.bundle.file_names import is_file
from myqasr_fx.bundle.untrusted_json import parse_json, short
from myqasr_fx.errors import EvaluationError


@dataclass(frozen=True, slots=True)
class Utterance:
    """A recording and what is said in it.

    Args:
        audio: File.
        text: Reference.
        lang: ISO 639-1 code; None when the manifest does not say.
        fields: The whole line, for filters.
    """

    audio: Path
    text: str
    lang: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", MappingProxyType(dict(self.fields)))

    @property
    def name(self) -> str:
        """The recording as the manifest names it."""
        return str(self.fields.get("audio", self.audio))


def parse_filters(texts: Iterable[str]) -> dict[str, str]:
    """Reads ``key=value`` texts; ``gender=null`` finds lines without a gender.

    Raises:
        EvaluationError: A text is no pair, or two name one key.
    """
    filters: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not (key and sign):
            raise EvaluationError(f"filter {text!r}: expected key=value", hint="for example lang=en")
        if filters.get(key, value) != value:
            raise EvaluationError(f"filter {key}: both {filters[key]!r} and {value!r}", hint="no line can match")
        filters[key] = value
    return filters


def read_manifest(
    path: str | Path, filters: Mapping[str, str] | None = None, limit: int | None = None
) -> tuple[Utterance, ...]:
    """Utterances of a manifest, in its order.

    Args:
        path: JSONL file; audio paths are relative to its folder.
        filters: Keys and the values, as text, that a line must have.
        limit: Most utterances, the first ones.

    Raises:
        EvaluationError: The manifest cannot be read, a line is malformed, no line matches, or a recording is missing.
    """
    path = expanded(path)
    lines = _read_lines(path)
    found = [Utterance(path.parent / line["audio"], line["text"], line.get("lang"), line) for line in lines]
    return choose_utterances(path, found, filters or {}, limit)


def choose_utterances(
    source: Path, utterances: Sequence[Utterance], filters: Mapping[str, str], limit: int | None = None
) -> tuple[Utterance, ...]:
    """Those of ``utterances`` that match, in their order.

    Args:
        source: Where they come from, for messages.
        utterances: At least one.
        filters: Keys and the values, as text, that an utterance's fields must have.
        limit: Most utterances, the first ones.

    Raises:
        EvaluationError: None matches, or a recording is missing.
    """
    known = sorted({key for utterance in utterances for key in utterance.fields})
    for key in filters:
        if key not in known:
            raise EvaluationError(f"{source}: no line has {key!r}", hint=f"the keys are {', '.join(known)}")
    chosen = [u for u in utterances if all(_text(u.fields.get(key)) == value for key, value in filters.items())]
    if limit is not None and limit < 1:
        raise EvaluationError(f"limit {limit}: expected at least 1")
    _check(source, chosen[:limit], filters)
    return tuple(chosen[:limit])


def expanded(path: str | Path) -> Path:
    """``path`` with the home folder for ``~``.

    Raises:
        EvaluationError: There is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise EvaluationError(f"{path}: no such user", hint="give the path in full") from error


def _read_lines(path: Path) -> list[dict[str, Any]]:
    try:
        # not splitlines: a text may hold the other characters that it takes for ends of lines, such as U+2028
        texts = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError) as error:
        why = (isinstance(error, OSError) and error.strerror) or error
        raise EvaluationError(f"{path}: cannot be read: {why}", hint="give a JSONL manifest") from error
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        try:
            line = parse_json(text)
        except ValueError as error:
            raise EvaluationError(f"{path}, line {number}: {error}") from error
        _check_line(f"{path}, line {number}", line)
        lines.append(line)
    if not lines:
        raise EvaluationError(f"{path}: holds no line")
    return lines


def _check_line(place: str, line: object) -> None:
    if not isinstance(line, dict) or not all(isinstance(line.get(key), str) for key in ("audio", "text")):
        raise EvaluationError(f"{place}: expected an object with texts 'audio' and 'text'")
    if not isinstance(line.get("lang"), (str, NoneType)):
        raise EvaluationError(f"{place}: lang {short(line['lang'])}, expected a text")


def _check(path: Path, utterances: Sequence[Utterance], filters: Mapping[str, str]) -> None:
    if not utterances:
        wanted = " and ".join(f"{key}={value}" for key, value in filters.items())
        raise EvaluationError(f"{path}: no line has {wanted}")
    missing = [utterance.audio for utterance in utterances if not is_file(utterance.audio)]
    if missing:
        raise EvaluationError(f"{path}: {len(missing)} recordings are missing, the first is {missing[0]}")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
