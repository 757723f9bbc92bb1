"""JSON objects of a model's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from myqasr_fx.errors import ModelError
from myqasr_fx.models.refusal import place, reason, wrong

_MOST_BYTES = 1 << 28
"""The largest ``tokenizer.json`` known has some 20 MB."""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        ModelError: The file is missing, is no regular file, is too large, or holds no JSON object.
    """
    try:
        if path.exists() and not path.is_file():  # reading a pipe or a device would not end
            raise ValueError("is no regular file")
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"has more than {_MOST_BYTES >> 20} MiB")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{place(path)}: cannot be read: {reason(error)}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{place(path)}: holds no JSON object")
    return content


def is_count(value: object, least: int = 0, most: int | None = None) -> bool:
    """True for an integer, which ``true`` and ``2.0`` are not, from ``least`` to ``most``."""
    return type(value) is int and value >= least and (most is None or value <= most)


def read_ids(path: Path, field: str, value: object) -> dict[str, int]:
    """A mapping of names to ids, each a whole number of at least 0 and each used once.

    Args:
        path: The file that holds it.
        field: Where in the file.
        value: What stands there.

    Raises:
        ModelError: It is anything else.
    """
    if not isinstance(value, dict):
        raise wrong(path, field, value, "an object of token ids")
    for token, index in value.items():
        if not is_count(index):
            raise wrong(path, f"{field}[{_name(token)}]", index, "an id: a whole number of at least 0")
        if not token.isascii() and _is_broken(token):
            raise wrong(path, f"{field}[{_name(token)}]", index, "a token that UTF-8 can hold")
    if len(set(value.values())) < len(value):
        seen: dict[int, str] = {}
        for token, index in value.items():
            if index in seen:
                raise wrong(path, f"{field}[{_name(token)}]", index, f"an id other than that of {_name(seen[index])}")
            seen[index] = token
    return value


def _is_broken(token: str) -> bool:
    """True for a token with half a surrogate pair, which cannot be written."""
    return any(0xD800 <= ord(character) <= 0xDFFF for character in token)


def _name(token: str) -> str:
    return ascii(token if len(token) <= 24 else f"{token[:24]}…")
