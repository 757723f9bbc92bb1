"""JSON that somebody else may have written: bounded in size and depth, finite, and refused in one line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from myqasr_fx.errors import BundleError

MAX_BYTES = 64 << 20
"""Largest file: report.json of a large model has a few megabytes."""

MAX_DEPTH = 64
"""Values inside each other; ours nest less than ten deep."""

_MAX_DIGITS = 300
"""An integer of more becomes no float; tokenizers' files hold 10 ** 30 for no limit at all."""


def read_json(path: Path) -> Any:
    """The content of a file.

    Raises:
        BundleError: It cannot be read, is larger than ``MAX_BYTES``, or is no JSON as :func:`parse_json` takes it.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe or a device would not end
            raise BundleError(f"{path}: is no file", hint="quantize again")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}", hint="quantize again") from error
    try:
        if len(content) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES} bytes")
        return parse_json(content.decode("utf-8"))
    except ValueError as error:
        raise BundleError(f"{path}: damaged: {error}", hint="quantize again") from error


def read_object(path: Path) -> dict[str, Any]:
    """The object that a file holds.

    Raises:
        BundleError: As for :func:`read_json`, or the file holds something else.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise BundleError(f"{path}: damaged: holds {short(content)}, expected an object", hint="quantize again")
    return content


def parse_json(text: str) -> Any:
    """The value that ``text`` stands for.

    Raises:
        ValueError: It is no JSON, is nested deeper than ``MAX_DEPTH``, or holds NaN, infinity, an integer of more
            than ``_MAX_DIGITS`` digits or half of a surrogate pair.
    """
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error}") from error
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from None
    _check(value)
    return value


def short(value: object) -> str:
    """``value`` as an error line shows it."""
    if isinstance(value, (dict, list, tuple)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = "null" if value is None else repr(value)
    return text if len(text) <= 40 else f"{text[:36]}..."


def _refuse(name: str) -> float:
    raise ValueError(f"holds {name}, expected a finite number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text[:40])


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"holds an integer of {len(text)} digits")
    return int(text)


def _check(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += [*item, *item.values()]
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, str) and not item.isascii() and any("\ud800" <= c <= "\udfff" for c in item):
                raise ValueError(f"{short(item)} holds half of a surrogate pair")
        if not inner:
            return
        level = inner
    raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
