from __future__ import annotations

import pytest

from myqasr_fx.evaluate import (
    ErrorCount,
    character_errors,
    normalize,
    normalize_plain,
    without_diacritics,
    word_errors,
)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Mr. Hale won't, um, GO.", "en", "mister hale will not go"),
        ("It's twenty one", None, "it is 21"),
        ("Über die Straße!", "de", "über die straße"),
        ("广州市", "zh", "广 州 市"),
    ],
)
def test_normalize(text, language, expected):
    assert normalize(text, language) == expected


def test_plain_normalization_keeps_spoken_digits_apart():
    assert normalize_plain("Seven FIVE, five", "en") == "seven five five"
    assert normalize("seven five five", "en") == "755"


@pytest.mark.parametrize(
    ("reference", "hypothesis", "words", "characters"),
    [
        ("a b c", "a b c", ErrorCount(0, 3), ErrorCount(0, 5)),
        ("a b c", "a x c d", ErrorCount(2, 3), ErrorCount(3, 5)),
        ("a b", "", ErrorCount(2, 2), ErrorCount(3, 3)),
        ("", "a b", ErrorCount(2, 0), ErrorCount(3, 0)),
        ("", "", ErrorCount(0, 0), ErrorCount(0, 0)),
    ],
)
def test_errors(reference, hypothesis, words, characters):
    assert word_errors(reference, hypothesis) == words
    assert character_errors(reference, hypothesis) == characters


def test_counts_add_up_before_they_divide():
    assert (ErrorCount(1, 2) + ErrorCount(0, 8)).rate == 0.1
    assert ErrorCount(0, 0).rate == 0
    assert ErrorCount(1, 0).rate == float("inf")


def test_accents_can_be_left_out():
    assert without_diacritics(normalize)("¿Dónde está? Ça va, garçon.", "es") == "donde esta ca va garcon"


def test_letters_that_are_no_accents_stay():
    fold = without_diacritics(lambda text, _: text)
    assert fold("한국어 がぱ é", "ko") == "한국어 がぱ e"
    assert character_errors(fold("한국어", "ko"), fold("한국", "ko")) == ErrorCount(1, 3)
