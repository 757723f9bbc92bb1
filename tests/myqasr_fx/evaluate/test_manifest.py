from __future__ import annotations

import json

import pytest

from myqasr_fx.corpora import read_corpus
from myqasr_fx.errors import EvaluationError
from myqasr_fx.evaluate import parse_filters, read_manifest

LINES = [
    {"audio": "a/1.wav", "text": "one", "lang": "en", "gender": "F", "seconds": 1.5},
    {"audio": "a/2.wav", "text": "zwei", "lang": "de", "gender": None},
    {"audio": "a/3.wav", "text": "three", "lang": "en", "gender": "M"},
]


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "a").mkdir()
    for line in LINES:
        (tmp_path / line["audio"]).touch()
    path = tmp_path / "manifest.jsonl"
    path.write_text("\n".join(map(json.dumps, LINES)) + "\n\n")
    return path


def test_paths_are_relative_to_the_manifest(manifest):
    first = read_manifest(manifest)[0]
    assert first.audio == manifest.parent / "a" / "1.wav"
    assert (first.text, first.lang, first.fields["seconds"]) == ("one", "en", 1.5)


@pytest.mark.parametrize(
    ("filters", "texts"),
    [
        ({}, ["one", "zwei", "three"]),
        ({"lang": "en"}, ["one", "three"]),
        ({"lang": "en", "gender": "M"}, ["three"]),
        ({"gender": "null"}, ["zwei"]),
        ({"seconds": "1.5"}, ["one"]),
    ],
)
def test_filters(manifest, filters, texts):
    assert [utterance.text for utterance in read_manifest(manifest, filters)] == texts


def test_limit_counts_after_filters(manifest):
    assert [u.text for u in read_manifest(manifest, {"lang": "en"}, limit=1)] == ["one"]
    with pytest.raises(EvaluationError, match="limit 0"):
        read_manifest(manifest, limit=0)


def test_parse_filters():
    assert parse_filters(["lang=en", "source=a=b"]) == {"lang": "en", "source": "a=b"}
    for bad in (["lang"], ["=en"], ["lang=en", "lang=de"]):
        with pytest.raises(EvaluationError, match="filter"):
            parse_filters(bad)


@pytest.mark.parametrize(
    ("filters", "message"),
    [({"lang": "fr"}, "no line has lang=fr"), ({"voice": "x"}, "no line has 'voice'.*audio, gender, lang")],
)
def test_filters_that_match_nothing(manifest, filters, message):
    with pytest.raises(EvaluationError, match=message):
        read_manifest(manifest, filters)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "3",
        '{"audio": "a/1.wav"}',
        '{"audio": "a/1.wav", "text": null}',
        '{"audio": "a/1.wav", "text": "a", "lang": 3}',
        '{"audio": "a/1.wav", "text": "a", "seconds": NaN}',
        "[" * 200_000,
        '{"audio": "a/1.wav", "text": "\\ud800"}',
    ],
    ids=lambda line: line[:50],
)
def test_malformed_line_is_named(manifest, line):
    manifest.write_text(json.dumps(LINES[0]) + "\n" + line + "\n")
    with pytest.raises(EvaluationError, match="line 2"):
        read_manifest(manifest)


def test_missing_manifest_and_recordings(manifest):
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_manifest(manifest.parent / "none.jsonl")
    (manifest.parent / "a" / "3.wav").unlink()
    with pytest.raises(EvaluationError, match=r"1 recordings are missing.*3\.wav"):
        read_manifest(manifest)
    manifest.write_text("\n")
    with pytest.raises(EvaluationError, match="no line"):
        read_manifest(manifest)


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_only_a_newline_ends_a_line(manifest, end):
    line = LINES[0] | {"text": f"one{end}two"}
    raw = json.dumps(line, ensure_ascii=False).replace(json.dumps(end)[1:-1], end)
    if ord(end) < 32:  # JSON itself wants those escaped
        raw = json.dumps(line)
    manifest.write_text(raw + "\r\n" + json.dumps(LINES[1]) + "\n", encoding="utf-8")
    assert [utterance.text for utterance in read_manifest(manifest)] == [f"one{end}two", "zwei"]


@pytest.mark.parametrize("name", ["a" * 300, "a\0b", "../" * 2000 + "b.wav"], ids=["long", "nul", "deep"])
def test_a_recording_of_a_name_that_cannot_be_is_missing(manifest, name):
    manifest.write_text(json.dumps({"audio": name, "text": "a"}))
    with pytest.raises(EvaluationError, match="1 recordings are missing"):
        read_manifest(manifest)


@pytest.mark.parametrize("path", ["~nouser/a.jsonl", "a" * 300])
def test_a_manifest_of_a_name_that_cannot_be(path):
    with pytest.raises(EvaluationError, match=r"no such user|cannot be read"):
        read_manifest(path)
    with pytest.raises(EvaluationError, match=r"no such user|cannot be read"):
        read_corpus(path)


def test_a_mark_of_the_bytes_begins_no_line(manifest):
    manifest.write_bytes(b"\xef\xbb\xbf" + manifest.read_bytes())
    assert [utterance.text for utterance in read_manifest(manifest)] == ["one", "zwei", "three"]
