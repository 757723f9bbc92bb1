"""What is lost on others is counted by teacher, apart for their language and others."""

from dataclasses import replace

from adapt_forgets import Row, table

ROW = Row("a", "en", "b", "en", "1.flac", 10, 2, 3)


def test_languages_are_told_apart() -> None:
    rows = [ROW, replace(ROW, teacher="b", speaker="a"), replace(ROW, speaker="c", language="de", errors_after=6)]
    assert table(rows).splitlines()[2:] == [
        "| in the same language | 20.0 of 20 | 30.0 | +10.0 [+10.0, +10.0] |",
        "| in other languages | 20.0 of 10 | 60.0 | +40.0 [+40.0, +40.0] |",
    ]
