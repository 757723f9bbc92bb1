"""docs/myqasr.schema.json is what the dataclasses say; a manifest is checked against it."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from myqasr_fx.bundle.bundle import BundleManifest, DamageRecord
from myqasr_fx.bundle.schema import SCHEMA_FILE, manifest_schema

STORED = Path(__file__).parents[3] / "docs" / SCHEMA_FILE


def check(value: Any, schema: dict[str, Any], root: dict[str, Any], place: str = "$") -> None:
    """The few words of JSON Schema that ours uses."""
    if "$ref" in schema:
        return check(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, place)
    if "anyOf" in schema:
        return check(value, schema["anyOf"][value is None], root, place)
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
    kinds["null"] = type(None)
    if "type" in schema:
        assert isinstance(value, kinds[schema["type"]]), place
        assert not isinstance(value, bool) or schema["type"] == "boolean", place
    assert value == schema.get("const", value), place
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value), place
        extra = schema.get("additionalProperties", True)
        for key, item in value.items():
            if key in schema.get("properties", {}):
                check(item, schema["properties"][key], root, f"{place}.{key}")
            else:
                assert extra, f"{place}.{key}"
                check(item, extra if isinstance(extra, dict) else {}, root, f"{place}.{key}")
    if isinstance(value, list):
        for index, item in enumerate(value):
            check(item, schema.get("items", {}), root, f"{place}[{index}]")
    return None


def plain(manifest: BundleManifest) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(asdict(manifest)))
    return content


def test_the_stored_schema_is_current() -> None:
    assert json.loads(STORED.read_text(encoding="utf-8")) == manifest_schema(), (
        "run python -m myqasr_fx.bundle.schema > docs/myqasr.schema.json"
    )


def test_manifests_follow_it(manifest: BundleManifest) -> None:
    schema = manifest_schema()
    assert schema["properties"]["format_version"] == {"const": 1}
    for made in (manifest, replace(manifest, acceptance=None, budget_bytes=None, damage=DamageRecord(0.1, 0.05))):
        check(plain(made), schema, schema)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"model_bytes": "many"}, "model_bytes"),
        ({"colour": 1}, "colour"),
        ({"format_version": 2}, "format_version"),
        ({"layers": [{"name": "a"}]}, r"layers\[0\]"),
    ],
)
def test_what_does_not_follow_it_is_found(manifest: BundleManifest, change: dict[str, Any], place: str) -> None:
    schema = manifest_schema()
    with pytest.raises(AssertionError, match=place):
        check(plain(manifest) | change, schema, schema)
