"""The JSON Schema of ``myqasr.json``, from the dataclasses; ``python -m myqasr_fx.bundle.schema`` prints it."""

from __future__ import annotations

import json
import sys
from typing import Any

from myqasr_fx.bundle.bundle import FORMAT_VERSION, BundleManifest
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

SCHEMA_FILE = "myqasr.schema.json"

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def manifest_schema() -> dict[str, Any]:
    """The schema, in the vocabulary of draft 2020-12."""
    definitions: dict[str, Any] = {}
    root = _object(BundleManifest, definitions)
    root["properties"]["format_version"] = {"const": FORMAT_VERSION}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "myqasr.json"}
    return {**head, **root, "$defs": dict(sorted(definitions.items()))}


def _object(record: type, definitions: dict[str, Any]) -> dict[str, Any]:
    texts, required = _descriptions(record), required_fields(record)
    properties = {}
    for name, kind in field_types(record).items():
        described = {"description": texts[name]} if name in texts else {}
        properties[name] = {**_type(kind, definitions), **described}
    order = [name for name in properties if name in required]
    return {"type": "object", "properties": properties, "required": order, "additionalProperties": False}


def _type(kind: FieldType, definitions: dict[str, Any]) -> dict[str, Any]:
    match kind:
        case Anything():
            return {}
        case Plain(type=plain):
            return {"type": _PLAIN[plain]}
        case Record(type=record):
            if record.__name__ not in definitions:
                definitions[record.__name__] = _object(record, definitions)
            return {"$ref": f"#/$defs/{record.__name__}"}
        case Either(choices=choices):
            return {"anyOf": [_type(choice, definitions) for choice in choices]}
        case Items(item=item, length=length):
            bounds = {} if length is None else {"minItems": length, "maxItems": length}
            return {"type": "array", "items": _type(item, definitions), **bounds}
        case Entries(value=value):
            return {"type": "object", "additionalProperties": _type(value, definitions) or True}


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
