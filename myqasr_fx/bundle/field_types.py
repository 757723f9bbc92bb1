"""The types that a record's fields may have, as the schema writes them and the reader checks them."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Plain:
    """A text, a number, a truth value, or None."""

    type: type


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever JSON can hold."""


@dataclass(frozen=True, slots=True)
class Record:
    """A dataclass."""

    type: type


@dataclass(frozen=True, slots=True)
class Either:
    """One of several: ``X | None``."""

    choices: tuple[FieldType, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A tuple of one type; ``length`` is None where it is free."""

    item: FieldType
    length: int | None


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping from texts."""

    value: FieldType


FieldType = Plain | Anything | Record | Either | Items | Entries


@cache
def field_types(record: type) -> Mapping[str, FieldType]:
    """Field to type of a dataclass.

    Raises:
        TypeError: A field has a type that JSON does not carry.
    """
    hints = typing.get_type_hints(record)
    return types.MappingProxyType({field.name: field_type(hints[field.name]) for field in dataclasses.fields(record)})


@cache
def required_fields(record: type) -> frozenset[str]:
    """Fields without a default."""
    missing = dataclasses.MISSING
    return frozenset(
        f.name for f in dataclasses.fields(record) if f.default is missing and f.default_factory is missing
    )


def field_type(hint: Any) -> FieldType:
    """What an annotation means.

    Raises:
        TypeError: It is none of the types above.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return Anything()
    if hint in (str, int, float, bool, type(None)):
        return Plain(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return Record(hint)
    if origin in (types.UnionType, typing.Union):
        return Either(tuple(map(field_type, arguments)))
    if origin is tuple:
        return Items(field_type(arguments[0]), None if Ellipsis in arguments else len(arguments))
    if origin is not None and issubclass(origin, Mapping):
        return Entries(field_type(arguments[1]))
    raise TypeError(f"no JSON for {hint}")
