"""Subtitles that players read."""

from myqasr_fx.cli.subtitles import srt, vtt
from myqasr_fx.runtime import Segment

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
