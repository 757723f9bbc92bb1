from __future__ import annotations

import pytest

from myqasr_fx.corpora import read_corpus
from myqasr_fx.errors import EvaluationError

FILES = {
    "de_de/test.tsv": '1\ta.wav\tEr sagte "Ja".\ter sagte ja\te r |\t16000\tFEMALE\n'
    "2\tb.wav\tNein.\tnein\tn |\t1\tMALE\n",
    "de_de/audio/test/a.wav": "",
    "de_de/audio/test/b.wav": "",
    "cmn_hans_cn/dev.tsv": "7\tc.wav\t你好\t你好\t你 好\t16000\tOTHER\n",
    "cmn_hans_cn/audio/dev/c.wav": "",
}


def test_locales_splits_and_genders(tree) -> None:
    found = read_corpus(tree(FILES))
    assert [(u.lang, u.text, u.fields["gender"], u.fields["split"]) for u in found] == [
        ("zh", "你好", None, "dev"),
        ("de", "er sagte ja", "F", "test"),
        ("de", "nein", "M", "test"),
    ]
    assert found[1].fields["audio"] == "de_de/audio/test/a.wav"


def test_one_locale_alone(tree) -> None:
    assert [u.lang for u in read_corpus(tree(FILES) / "de_de")] == ["de", "de"]


def test_a_line_with_other_columns_is_named(tree) -> None:
    with pytest.raises(EvaluationError, match=r"dev\.tsv, line 1: 2 columns, expected 7"):
        read_corpus(tree(FILES | {"cmn_hans_cn/dev.tsv": "7\tc.wav\n"}))
