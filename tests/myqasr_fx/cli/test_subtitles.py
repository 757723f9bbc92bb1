"""Subtitles that players read."""

from myqasr_fx.cli.subtitles import cues, lines, srt, vtt
from myqasr_fx.runtime import Segment, Word

SEGMENTS = (
    Segment(0.0, 27.1504, "it was the best"),
    Segment(3_599.9999, 3_661.5, "of\n\ntimes & <b> --> worst\x1b[2J"),
)


def test_srt_numbers_its_cues() -> None:
    assert srt(SEGMENTS) == (
        "1\n00:00:00,000 --> 00:00:27,150\nit was the best\n\n"
        "2\n01:00:00,000 --> 01:01:01,500\nof times & <b> -> worst\\x1b[2J"
    )
    assert srt(()) == ""


def test_vtt_has_a_header_and_escapes_its_marks() -> None:
    assert vtt(SEGMENTS) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:27.150\nit was the best\n\n"
        "01:00:00.000 --> 01:01:01.500\nof times &amp; &lt;b&gt; --&gt; worst\\x1b[2J"
    )
    assert vtt(()) == "WEBVTT"


def test_words_are_cues_of_their_own() -> None:
    words = (Word(1.0, 1.5, "it"), Word(1.5, 2.0, "was"))
    told = cues((Segment(0.0, 1.0, "so"), Segment(1.0, 2.0, "it was", words)))
    assert [cue.text for cue in told] == ["so", "it", "was"]
    assert lines(told)[2] == "[00:00:01.500 --> 00:00:02.000] was"
    assert srt(told).count("-->") == vtt(told).count("-->") == 3
