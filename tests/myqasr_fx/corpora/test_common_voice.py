from __future__ import annotations

import pytest

from myqasr_fx.corpora import read_corpus
from myqasr_fx.errors import EvaluationError

HEAD = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\tsegment\n"
FILES = {
    "ja/test.tsv": HEAD + 'ab\t1.mp3\t"はい\t2\t0\t\tfemale_feminine\t\tja\t\n',
    "ja/validated.tsv": HEAD + "ab\t1.mp3\tはい\t2\t0\t\t\t\tja\t\n",
    "ja/clips/1.mp3": "",
    "zh-TW/validated.tsv": HEAD + "cd\t2.mp3\t好\t2\t0\ttwenties\tmale\t\tzh-TW\t\n",
    "zh-TW/clips/2.mp3": "",
}


def test_locales_speakers_and_genders(tree) -> None:
    found = read_corpus(tree(FILES))
    assert [(u.lang, u.text, u.fields["speaker"], u.fields["gender"], u.fields["split"]) for u in found] == [
        ("ja", '"はい', "ab", "F", "test"),
        ("zh", "好", "cd", "M", "validated"),
    ]


def test_missing_columns_are_named(tree) -> None:
    with pytest.raises(EvaluationError, match=r"test\.tsv: no column client_id, sentence"):
        read_corpus(tree(FILES | {"ja/test.tsv": "path\ttext\n"}))
