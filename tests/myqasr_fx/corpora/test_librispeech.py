from __future__ import annotations

import pytest

from myqasr_fx.corpora import read_corpus
from myqasr_fx.errors import EvaluationError

SPEAKERS = "; ID | SEX | SUBSET | MINUTES | NAME\n14   | F | train-clean-360  | 25.03 | K\n1688 | M | other | 8 | A\n"
FILES = {
    "SPEAKERS.TXT": SPEAKERS,
    "test-other/1688/142285/1688-142285.trans.txt": "1688-142285-0000 THERE'S IRON THEY SAY\n1688-142285-0001 YES\n",
    "test-other/1688/142285/1688-142285-0000.flac": "",
    "test-other/1688/142285/1688-142285-0001.flac": "",
    "train-clean-360/14/208/14-208.trans.txt": "14-208-0000 SO\n",
    "train-clean-360/14/208/14-208-0000.flac": "",
}


def test_subsets_speakers_and_genders(tree) -> None:
    found = read_corpus(tree(FILES))
    assert [u.text for u in found] == ["THERE'S IRON THEY SAY", "YES", "SO"]
    assert found[0].fields == {
        "audio": "test-other/1688/142285/1688-142285-0000.flac",
        "text": "THERE'S IRON THEY SAY",
        "lang": "en",
        "dataset": "librispeech",
        "split": "test-other",
        "speaker": "1688",
        "gender": "M",
    }
    assert [u.text for u in read_corpus(tree(FILES), {"gender": "F"})] == ["SO"]
    assert [u.text for u in read_corpus(tree(FILES), {"split": "test-other"}, limit=1)] == ["THERE'S IRON THEY SAY"]


def test_a_recording_that_is_not_there_is_named(tree) -> None:
    folder = tree(FILES)
    (folder / "train-clean-360/14/208/14-208-0000.flac").unlink()
    with pytest.raises(EvaluationError, match=r"1 recordings are missing.*14-208-0000\.flac"):
        read_corpus(folder)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("SPEAKERS.TXT", "14 F\n", r"SPEAKERS\.TXT, line 1"),
        ("train-clean-360/14/208/14-208.trans.txt", "14-208-0000\n", r"14-208\.trans\.txt, line 1"),
    ],
)
def test_malformed_lines_are_named(tree, file: str, text: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        read_corpus(tree(FILES | {file: text}))
