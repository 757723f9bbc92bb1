"""Parts of a text and their words agree about when they were said."""

from __future__ import annotations

from myqasr_fx.runtime import Segment, Transcript, Word
from myqasr_fx.runtime.aligner import around
from myqasr_fx.runtime.runtime import ends_at, join
from myqasr_fx.runtime.timed_text import TimedTokens


def words(*times: tuple[float, float]) -> tuple[Word, ...]:
    return tuple(Word(start, end, "word") for start, end in times)


def test_a_part_holds_its_words_where_one_lies_wholly_beyond_it() -> None:
    parts = [TimedTokens(0.0, 1.0, (1,)), TimedTokens(1.2, 20.0, (2,)), TimedTokens(20.5, 22.0, (3,))]
    spoken = [words((4.3, 5.0), (12.0, 12.5)), words((13.0, 14.0)), words((18.0, 19.0), (20.6, 21.0))]
    found = around(parts, spoken)
    assert [(part.start, part.end) for part in found] == [(0.0, 12.5), (12.5, 18.0), (18.0, 22.0)]
    assert [part.tokens for part in found] == [part.tokens for part in parts]


def test_a_part_stays_where_its_words_are_near_or_unknown() -> None:
    parts = [TimedTokens(0.0, 1.0, (1,)), TimedTokens(1.2, 2.0, (2,)), TimedTokens(3.0, 4.0, (3,))]
    assert around(parts, [words((0.2, 1.4)), words((1.3, 1.9)), ()]) == parts


def test_no_time_lies_in_what_is_heard_anew() -> None:
    segment = Segment(0.0, 21.0, "a b c", words((0.0, 1.0), (20.0, 28.0), (28.0, 28.1)))
    first = ends_at(Transcript("a b c", (1,), 30.0, segments=(segment,)), 20.5)
    rest = Transcript("d", (2,), 9.5, segments=(Segment(0.0, 2.0, "d", words((0.1, 2.0))),))
    joined = join([first, rest], None, None)
    assert joined.seconds == 30.0
    times = [(word.start, word.end) for one in joined.segments for word in one.words]
    assert times == [(0.0, 1.0), (20.0, 20.5), (20.5, 20.5), (20.6, 22.5)]
    assert [(one.start, one.end) for one in joined.segments] == [(0.0, 20.5), (20.5, 22.5)]
