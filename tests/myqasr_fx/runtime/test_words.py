"""Words of texts whose tokens are pieces of UTF-8."""

from __future__ import annotations

from collections.abc import Sequence

from myqasr_fx.runtime import Word
from myqasr_fx.runtime.words import words_of


def found(pieces: Sequence[str | bytes], language: str | None = "en") -> list[tuple[float, float, str]]:
    """Each token begins 50 frames, a second, behind the one before."""
    data = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]

    def decode(tokens: Sequence[int]) -> str:
        return b"".join(data[token] for token in tokens).decode(errors="replace")

    frames = [50 * index for index in range(len(data) + 1)]
    words = words_of(range(len(data)), frames, decode, language)
    assert all(isinstance(word, Word) for word in words)
    return [(word.start, word.end, word.text) for word in words]


def test_a_space_begins_a_word() -> None:
    assert found([" We", " don", "'t", " know"]) == [(0, 1, "We"), (1, 3, "don't"), (3, 4, "know")]


def test_marks_do_not_make_a_word_longer() -> None:
    assert found([" Yes", ",", " he", " said", ".", '"']) == [(0, 1, "Yes,"), (2, 3, "he"), (3, 4, 'said."')]
    assert found([" e", "-", "mail", "!"]) == [(0, 3, "e-mail!")]


def test_opening_marks_belong_to_the_word_behind_them() -> None:
    assert found([" he", ' "', "Yes", '"']) == [(0, 1, "he"), (1, 3, '"Yes"')]
    assert found([" -", " and", " so"]) == [(0, 2, "- and"), (2, 3, "so")]


def test_parts_of_a_letter_are_one_piece() -> None:
    letter = "ö".encode()
    assert found([" h", letter[:1], letter[1:], "ren", " x"]) == [(0, 4, "hören"), (4, 5, "x")]
    assert found([" h", letter[:1]]) == [(0, 2, "h\ufffd")]


def test_every_letter_is_a_word_where_no_spaces_are_written() -> None:
    assert found(["你", "好", "。", "吗"], "zh") == [(0, 1, "你"), (1, 2, "好。"), (3, 4, "吗")]
    assert found(["你", "好"], "en") == [(0, 2, "你好")]


def test_spaces_alone_are_no_word() -> None:
    assert found([" "]) == [] == found([])
