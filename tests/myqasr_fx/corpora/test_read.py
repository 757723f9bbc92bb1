from __future__ import annotations

import json

import pytest

from myqasr_fx.corpora import read_corpus
from myqasr_fx.errors import EvaluationError


def test_a_manifest_is_read_too(tree) -> None:
    line = {"audio": "a.wav", "text": "one", "lang": "en"}
    folder = tree({"m.jsonl": json.dumps(line), "a.wav": ""})
    assert [u.fields for u in read_corpus(folder / "m.jsonl", {"lang": "en"})] == [line]


def test_a_folder_of_something_else_is_refused(tree) -> None:
    with pytest.raises(EvaluationError, match=r"no known corpus.*librispeech \(SPEAKERS\.TXT\)"):
        read_corpus(tree({"a.wav": ""}))


def test_a_corpus_without_utterances_is_refused(tree) -> None:
    with pytest.raises(EvaluationError, match="holds no utterance of librispeech"):
        read_corpus(tree({"SPEAKERS.TXT": ""}))


def test_filters_name_the_fields(tree) -> None:
    folder = tree({"testing_list.txt": "", "bed/a_nohash_0.wav": ""})
    with pytest.raises(EvaluationError, match=r"no line has 'age'.*audio, dataset, gender"):
        read_corpus(folder, {"age": "9"})
    with pytest.raises(EvaluationError, match="no line has speaker=b"):
        read_corpus(folder, {"speaker": "b"})
