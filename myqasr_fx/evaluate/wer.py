"""Word and character errors of normalized texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import jiwer
from transformers.models.whisper.english_normalizer import BasicTextNormalizer, EnglishTextNormalizer

Normalizer = Callable[[str, str | None], str]
"""Takes a text and its language, gives the form that is compared."""

UNSPACED = frozenset({"ja", "lo", "my", "th", "yue", "zh"})
"""Languages written without spaces, whose "words" are characters."""


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Errors of one or more texts.

    Args:
        errors: Substitutions, deletions and insertions.
        total: Words or characters of the references.
    """

    errors: int
    total: int

    def __add__(self, other: ErrorCount) -> ErrorCount:
        return ErrorCount(self.errors + other.errors, self.total + other.total)

    @property
    def rate(self) -> float:
        """Errors a unit of reference; infinite for errors against nothing."""
        if self.total:
            return self.errors / self.total
        return float("inf") if self.errors else 0.0


_VOICED = "\u3099\u309a"


def normalize(text: str, language: str | None = None) -> str:
    """Whisper's normalization: for English or an unknown language its English rules, else its basic ones.

    Languages without spaces get one after every character.
    """
    normalized: str = _normalizer(language)(text)
    return normalized.strip()


def normalize_plain(text: str, language: str | None = None) -> str:
    """Lower case without punctuation: for models that write words as they are spoken.

    Whisper's English rules would join a spoken string of digits to one number, one word.
    """
    normalized: str = _basic(language)(text)
    return normalized.strip()


def without_diacritics(normalizer: Normalizer) -> Normalizer:
    """``normalizer`` followed by the loss of all accents, for references that were written without them.

    Syllables of Korean stay whole, and kana voiced: か and が are two letters.
    """

    def fold(text: str, language: str | None) -> str:
        letters = unicodedata.normalize("NFKD", normalizer(text, language))
        kept = (letter for letter in letters if letter in _VOICED or unicodedata.category(letter) != "Mn")
        return unicodedata.normalize("NFC", "".join(kept))

    return fold


def word_errors(reference: str, hypothesis: str) -> ErrorCount:
    """Word errors of two normalized texts."""
    out = jiwer.process_words(reference, hypothesis)
    return ErrorCount(out.substitutions + out.deletions + out.insertions, len(reference.split()))


def character_errors(reference: str, hypothesis: str) -> ErrorCount:
    """Character errors of two normalized texts; a space is a character."""
    out = jiwer.process_characters(reference, hypothesis)
    return ErrorCount(out.substitutions + out.deletions + out.insertions, len(reference))


@cache
def _normalizer(language: str | None) -> Callable[[str], str]:
    if language in (None, "en"):
        # Without the table of British spellings, which only some tokenizers carry: every model is scored alike.
        normalizer: Callable[[str], str] = EnglishTextNormalizer({})
        return normalizer
    return _basic(language)


@cache
def _basic(language: str | None) -> Callable[[str], str]:
    normalizer: Callable[[str], str] = BasicTextNormalizer(split_letters=language in UNSPACED)
    return normalizer
