"""Makes records from JSON that nobody vouches for: every value is checked against its field's type."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, TypeVar

from myqasr_fx.bundle.field_types import (
    Anything,
    Either,
    Entries,
    FieldType,
    Items,
    Plain,
    Record,
    field_types,
    required_fields,
)
from myqasr_fx.bundle.untrusted_json import short

R = TypeVar("R")

_NAMES = {str: "a text", int: "an integer", float: "a number", bool: "true or false", type(None): "null"}

_NULL = Plain(type(None))

_LARGEST = {int: 1 << 62, float: 1e38}
"""Numbers beyond float32 are none of ours, and sums of them would be infinite."""


def build_record(record: type[R], value: Any, place: str = "") -> R:
    """The record that plain values stand for.

    Args:
        record: A dataclass whose fields have the types of ``field_types``.
        value: As :func:`~myqasr_fx.bundle.untrusted_json.parse_json` gives it.
        place: Where it stands, for messages.

    Raises:
        ValueError: A field is missing, unknown or of another type, or the record refuses its values.
    """
    if not isinstance(value, dict):
        raise _wrong(place, value, "an object")
    kind: type = record
    kinds = field_types(kind)
    if unknown := sorted(value.keys() - kinds.keys()):
        raise ValueError(f"{_at(place)}unknown field {short(unknown[0])}")
    if missing := sorted(required_fields(kind) - value.keys()):
        raise ValueError(f"{_at(place)}field {missing[0]!r} is missing")
    fields = {name: _build(kinds[name], item, f"{place}.{name}" if place else name) for name, item in value.items()}
    try:
        return record(**fields)
    except ValueError as error:
        raise ValueError(f"{_at(place)}{error}") from error


def _build(kind: FieldType, value: Any, place: str) -> Any:
    match kind:
        case Anything():
            return value
        case Plain(type=expected):
            return _plain(expected, value, place)
        case Record(type=record):
            return build_record(record, value, place)
        case Either(choices=choices):
            return _either([c for c in choices if (c == _NULL) == (value is None)] or choices, value, place)
        case Items(item=item, length=length):
            if not isinstance(value, list) or length not in (None, len(value)):
                raise _wrong(place, value, "a list" if length is None else f"a list of {length}")
            return tuple(_build(item, entry, f"{place}[{index}]") for index, entry in enumerate(value))
        case Entries(value=entry):
            if not isinstance(value, dict):
                raise _wrong(place, value, "an object")
            return {key: _build(entry, item, f"{place}.{key[:40]}") for key, item in value.items()}


def _either(choices: Sequence[FieldType], value: Any, place: str) -> Any:
    for choice in choices[:-1]:
        with contextlib.suppress(ValueError):
            return _build(choice, value, place)
    return _build(choices[-1], value, place)


def _plain(expected: type, value: Any, place: str) -> Any:
    good = type(value) is expected or (expected is float and type(value) is int)
    if not good or (expected in (int, float) and abs(value) > _LARGEST[expected]):
        raise _wrong(place, value, _NAMES[expected])
    return value


def _wrong(place: str, value: object, expected: str) -> ValueError:
    return ValueError(f"{_at(place)}{short(value)}, expected {expected}")


def _at(place: str) -> str:
    return f"{place}: " if place else ""
