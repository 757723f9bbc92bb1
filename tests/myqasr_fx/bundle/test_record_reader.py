"""Records from plain values: what is taken, and that every other kind of value is named with its place."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.bundle.field_types import field_type
from myqasr_fx.bundle.record_reader import build_record


@dataclass(frozen=True, slots=True)
class Inner:
    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count {self.count}, expected at least 0")


@dataclass(frozen=True, slots=True)
class Outer:
    name: str
    share: float
    on: bool
    pair: tuple[float, float] | None
    inner: tuple[Inner, ...]
    sizes: Mapping[str, int]
    free: Mapping[str, Any] = field(default_factory=dict)
    either: int | float | None = None


GOOD: dict[str, Any] = {
    "name": "a",
    "share": 1,
    "on": True,
    "pair": [0, 0.5],
    "inner": [{"count": 1}],
    "sizes": {"b": 2},
    "free": {"c": [None]},
    "either": 1.5,
}


def test_values_become_a_record() -> None:
    made = build_record(Outer, GOOD)
    assert made == Outer("a", 1, True, (0, 0.5), (Inner(1),), {"b": 2}, {"c": [None]}, 1.5)
    short = build_record(Outer, {**{k: v for k, v in GOOD.items() if k not in ("free", "either")}, "pair": None})
    assert (short.pair, dict(short.free), short.either) == (None, {}, None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": 3}, "name: 3, expected a text"),
        ({"name": None}, "name: null, expected a text"),
        ({"share": "1"}, "share: '1', expected a number"),
        ({"share": True}, "share: True, expected a number"),
        ({"share": 1e39}, "share: 1e.39, expected a number"),
        ({"on": 1}, "on: 1, expected true or false"),
        ({"pair": [1.0]}, "pair: a list of 1, expected a list of 2"),
        ({"pair": {}}, "pair: an object of 0, expected a list of 2"),
        ({"inner": {"count": 1}}, "inner: an object of 1, expected a list"),
        ({"inner": [3]}, r"inner\[0\]: 3, expected an object"),
        ({"inner": [{"count": 1.5}]}, r"inner\[0\].count: 1.5, expected an integer"),
        ({"inner": [{"count": True}]}, r"inner\[0\].count: True, expected an integer"),
        ({"inner": [{"count": 2**62 + 1}]}, r"inner\[0\].count: \d+, expected an integer"),
        ({"inner": [{"count": -1}]}, r"inner\[0\]: count -1, expected at least 0"),
        ({"inner": [{}]}, r"inner\[0\]: field 'count' is missing"),
        ({"sizes": []}, "sizes: a list of 0, expected an object"),
        ({"sizes": {"b": "c"}}, "sizes.b: 'c', expected an integer"),
        ({"colour": 1}, "unknown field 'colour'"),
        ({"either": "x"}, "either: 'x', expected a number"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}"):
        build_record(Outer, GOOD | change)


@pytest.mark.parametrize("value", [None, 3, "a", [], [{}]])
def test_a_record_is_an_object(value: Any) -> None:
    with pytest.raises(ValueError, match="expected an object"):
        build_record(Outer, value)


def test_a_manifest_is_read_as_it_was_written(manifest: BundleManifest) -> None:
    assert build_record(BundleManifest, json.loads(json.dumps(asdict(manifest)))) == manifest


def test_types_that_json_does_not_carry_are_refused() -> None:
    with pytest.raises(TypeError, match="no JSON for"):
        field_type(bytes)
