"""Two texts side by side, with the words marked in which they differ."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words of a text; ``changed`` when the other text says something else there."""

    text: str
    changed: bool


def mark(expected: str, got: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Pieces of both texts; case and punctuation alone are no difference."""
    left, right = expected.split(), got.split()
    matcher = SequenceMatcher(None, [_plain(w) for w in left], [_plain(w) for w in right], autojunk=False)
    pieces: tuple[list[Piece], list[Piece]] = ([], [])
    for tag, a, b, c, d in matcher.get_opcodes():
        for side, words in zip(pieces, (left[a:b], right[c:d]), strict=True):
            if words:
                side.append(Piece(" ".join(words), tag != "equal"))
    return tuple(pieces[0]), tuple(pieces[1])


def _plain(word: str) -> str:
    return "".join(c for c in word.casefold() if c.isalnum()) or word
