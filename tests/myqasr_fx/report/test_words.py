from myqasr_fx.report.words import Piece, mark


def test_only_differing_words_are_marked() -> None:
    expected, got = mark("The cat sat on the mat.", "the cat sits on a mat")
    assert expected == (
        Piece("The cat", False),
        Piece("sat", True),
        Piece("on", False),
        Piece("the", True),
        Piece("mat.", False),
    )
    assert [piece.text for piece in got if piece.changed] == ["sits", "a"]


def test_texts_are_complete_whatever_differs() -> None:
    for left, right in (("", ""), ("a b", ""), ("", "a b"), ("- a", "a -"), ("été", "ETE")):
        pieces = mark(left, right)
        assert [" ".join(piece.text for piece in side) for side in pieces] == [left, right]


def test_a_missing_word_marks_one_side() -> None:
    expected, got = mark("one two three", "one three")
    assert [piece for piece in expected if piece.changed] == [Piece("two", True)]
    assert not any(piece.changed for piece in got)
