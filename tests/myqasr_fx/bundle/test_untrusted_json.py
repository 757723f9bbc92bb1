"""JSON of others: what is taken, and that the rest is one line."""

import os
from pathlib import Path

import pytest

from myqasr_fx.bundle.untrusted_json import MAX_BYTES, MAX_DEPTH, parse_json, read_json, read_object, short
from myqasr_fx.errors import BundleError


def test_ordinary_values_are_read() -> None:
    text = '{"a": [1, -2.5, 1e30, true, null, "gr\\u00fcn \\ud83d\\ude00"], "limit": 1000000000000000019884624838656}'
    assert parse_json(text) == {"a": [1, -2.5, 1e30, True, None, "grün 😀"], "limit": 10**30 + 19884624838656}
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[NaN]", "holds NaN"),
        ("[-Infinity]", "holds -Infinity"),
        ("[1e999]", "holds 1e999"),
        ("9" * 5_000, "an integer of 5000 digits"),
        ('["\\ud800"]', "half of a surrogate pair"),
        ('{"\\udfff": 1}', "half of a surrogate pair"),
        ("[" * 200_000, "nested deeper"),
        ('{"a":' * 200_000, "nested deeper"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested deeper"),
        ("[1] [2]", "Extra data"),
    ],
    ids=lambda value: value[:12],
)
def test_what_is_refused(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says):
        parse_json(text)
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(BundleError, match=rf"a\.json: damaged: .*{says}") as refused:
        read_json(tmp_path / "a.json")
    assert len(str(refused.value)) < 300
    assert "\n" not in str(refused.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(BundleError, match="is no file"):
            read_json(path)
    for path in (tmp_path / "none", tmp_path / ("a" * 300)):
        with pytest.raises(BundleError, match="cannot be read"):
            read_json(path)


def test_bytes_that_are_no_text_and_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'["\xff"]')
    with pytest.raises(BundleError, match="damaged"):
        read_json(path)
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(BundleError, match="larger than"):
        read_json(path)


@pytest.mark.parametrize("text", ["[]", "3", "null", '"a"'])
def test_an_object_is_expected(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(BundleError, match=r"a\.json: damaged: holds .*, expected an object"):
        read_object(tmp_path / "a.json")


def test_values_are_short_in_messages() -> None:
    assert short(None) == "null"
    assert short([1, 2]) == "a list of 2"
    assert short({"a": 1}) == "an object of 1"
    assert len(short("x" * 1000)) <= 40
