"""Words of an error about a model's files: short whatever the file holds, on one line."""

from __future__ import annotations

import json
from pathlib import Path

from myqasr_fx.errors import ModelError

_LONGEST_PATH = 110
_LONGEST_VALUE = 48
_LONGEST_REASON = 80


def wrong(path: Path, field: str, value: object, expected: str, hint: str | None = None) -> ModelError:
    """The error of a value that a file must not hold.

    Args:
        path: The file.
        field: Where in the file.
        value: What stands there.
        expected: What should.
        hint: What to try.
    """
    return ModelError(f"{place(path)}: {field} is {shown(value)}, expected {expected}", hint=hint)


def place(path: Path) -> str:
    """A path, only its end when it is long."""
    text = str(path)
    return text if len(text) <= _LONGEST_PATH else f"…{text[1 - _LONGEST_PATH :]}"


def shown(value: object) -> str:
    """A value as JSON has it, text in single quotes, with escapes for all but ASCII, cut to some forty characters."""
    if isinstance(value, str):
        text = ascii(value[: _LONGEST_VALUE + 1])  # a megabyte of text is not quoted as a whole
        return text if len(text) <= _LONGEST_VALUE + 2 else f"{text[:_LONGEST_VALUE]}…'"
    if isinstance(value, list | tuple):
        value = list(value[:_LONGEST_VALUE])
    if isinstance(value, dict):
        return f"an object of {len(value)} keys"
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):  # no JSON, or an integer of thousands of digits
        text = type(value).__name__
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def reason(error: BaseException) -> str:
    """The first line of a library's error, cut."""
    text = " ".join(str(error).split("\n")[0].split()) or type(error).__name__
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
