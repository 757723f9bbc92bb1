"""The JSON Schema of ``myqasr.json``, from the dataclasses; ``python -m myqasr_fx.bundle.schema`` prints it."""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any

from myqasr_fx.bundle.bundle import FORMAT_VERSION, BundleManifest

SCHEMA_FILE = "myqasr.schema.json"

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def manifest_schema() -> dict[str, Any]:
    """The schema, in the vocabulary of draft 2020-12."""
    definitions: dict[str, Any] = {}
    root = _object(BundleManifest, definitions)
    root["properties"]["format_version"] = {"const": FORMAT_VERSION}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "myqasr.json"}
    return {**head, **root, "$defs": dict(sorted(definitions.items()))}


def _object(record: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints, texts = typing.get_type_hints(record), _descriptions(record)
    properties = {}
    for field in dataclasses.fields(record):
        described = {"description": texts[field.name]} if field.name in texts else {}
        properties[field.name] = {**_type(hints[field.name], definitions), **described}
    missing = dataclasses.MISSING
    required = [f.name for f in dataclasses.fields(record) if f.default is missing and f.default_factory is missing]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _type(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if hint is Any:
        return {}
    if dataclasses.is_dataclass(hint):
        name = hint.__name__ if isinstance(hint, type) else ""
        if name not in definitions:
            definitions[name] = _object(hint, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if origin in (types.UnionType, typing.Union):  # X | None
        return {"anyOf": [_type(argument, definitions) for argument in arguments]}
    if origin is tuple:
        return {"type": "array", "items": _type(arguments[0], definitions)}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _type(arguments[1], definitions) or True}
    raise TypeError(f"no schema for {hint}")


def _descriptions(record: Any) -> dict[str, str]:
    """Field to its line in the ``Args`` of the docstring."""
    found: dict[str, str] = {}
    name = ""
    for line in (record.__doc__ or "").partition("Args:\n")[2].splitlines():
        head, colon, text = line.strip().partition(": ")
        if not line.strip():
            break
        if line.startswith(" " * 8) and not line.startswith(" " * 9) and colon:
            name = head
            found[name] = text
        elif name:
            found[name] += " " + line.strip()
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(manifest_schema(), indent=1) + "\n")
