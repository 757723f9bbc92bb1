from __future__ import annotations

import pytest

from myqasr_fx.corpora import read_corpus
from myqasr_fx.errors import EvaluationError

FILES = {
    "testing_list.txt": "cat/0a7c_nohash_1.wav\n",
    "validation_list.txt": "bed/0a7c_nohash_0.wav\n",
    "bed/0a7c_nohash_0.wav": "",
    "cat/0a7c_nohash_1.wav": "",
    "cat/ffff_nohash_0.wav": "",
    "_background_noise_/white_noise.wav": "",
}


def test_words_speakers_and_splits(tree) -> None:
    found = read_corpus(tree(FILES))
    assert [(u.text, u.fields["speaker"], u.fields["split"]) for u in found] == [
        ("bed", "0a7c", "validation"),
        ("cat", "0a7c", "test"),
        ("cat", "ffff", "train"),
    ]
    assert len(read_corpus(tree(FILES), {"speaker": "0a7c"})) == 2


def test_a_file_with_another_name_is_refused(tree) -> None:
    with pytest.raises(EvaluationError, match="SPEAKER_nohash_0"):
        read_corpus(tree(FILES | {"cat/me.wav": ""}))
