"""Words of a text with their times, from its tokens and the frames that those begin in."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.runtime.context import FRAME
from myqasr_fx.runtime.runtime import Word

_UNFINISHED = "\ufffd"
"""What a tokenizer writes for a part of a letter's bytes."""

UNSPACED = frozenset({"bo", "ja", "km", "lo", "my", "th", "yue", "zh"})
"""Languages that put no spaces between words: each of their letters is a word here."""

_OPENING = frozenset("([{<\u00ab\u00bf\u00a1\u201c\u2018\"'-")


@dataclass(frozen=True, slots=True)
class _Piece:
    """Tokens whose bytes are whole letters.

    Args:
        text: With the spaces before it.
        start: Position of its first token.
        end: Of the token behind the last.
        spoken_end: Of the token behind the last that is no mark.
    """

    text: str
    start: int
    end: int
    spoken_end: int

    def joined(self, other: _Piece) -> _Piece:
        """The two as one; marks behind a word do not make it longer."""
        return _Piece(
            self.text + other.text, self.start, other.end, other.spoken_end if other.spoken else self.spoken_end
        )

    @property
    def spoken(self) -> bool:
        """True for what holds a letter, a digit or a sign that is read out."""
        return any(unicodedata.category(letter)[0] in "LNSM" for letter in self.text)


def words_of(
    tokens: Sequence[int], frames: Sequence[int], decode: Callable[[Sequence[int]], str], language: str | None
) -> list[Word]:
    """The words of a text.

    Args:
        tokens: N of the text, without times.
        frames: N + 1 in which the tokens begin and the last ends.
        decode: Tokens to text.
        language: Code, as far as it is known.
    """
    found: list[_Piece] = []
    for piece in _pieces(tokens, decode):
        joins = found and (not _apart(piece, language) or _opens(found[-1]))
        if joins:
            found[-1] = found[-1].joined(piece)
        else:
            found.append(piece)
    times = [frame * FRAME / SAMPLING_RATE for frame in frames]
    spoken = ((one, one.text.strip()) for one in found)
    return [Word(times[one.start], times[one.spoken_end], text) for one, text in spoken if text]


def _pieces(tokens: Sequence[int], decode: Callable[[Sequence[int]], str]) -> list[_Piece]:
    found, start = [], 0
    for end in range(1, len(tokens) + 1):
        text = decode(tokens[start:end])
        if _UNFINISHED not in text or end == len(tokens):
            piece = _Piece(text, start, end, end)
            found.append(piece if piece.spoken else replace(piece, spoken_end=start))
            start = end
    return found


def _apart(piece: _Piece, language: str | None) -> bool:
    """True for what begins a word: a space does, and every letter of some languages."""
    return piece.text.startswith(" ") or (language in UNSPACED and piece.spoken)


def _opens(piece: _Piece) -> bool:
    """True for marks that belong to the word behind them."""
    return set(piece.text.strip()) <= _OPENING
