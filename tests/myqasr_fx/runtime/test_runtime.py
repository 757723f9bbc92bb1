"""Recordings of any length, whatever the model."""

from collections.abc import Sequence

import numpy as np
import pytest

from myqasr_fx.runtime import Segment, Transcript
from myqasr_fx.runtime.runtime import transcribe_long

RATE = 16_000


class Meter:
    """Says how long a clip is."""

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        seconds = [len(clip) / RATE for clip in clips]
        return [Transcript(f"{length:.2f}", (), length) for length in seconds]


def test_segments_have_the_times_of_the_parts_in_which_something_is_said() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 95 * RATE).astype(np.float32)
    samples[26 * RATE : 80 * RATE] = 0.0
    said = transcribe_long(Meter(), samples, None)  # type: ignore[arg-type]
    texts = [segment.text for segment in said.segments]
    assert said.text == " ".join(texts)
    assert texts == [f"{segment.end - segment.start:.2f}" for segment in said.segments]
    assert said.segments[0].start == 0.0 and said.segments[-1].end == pytest.approx(95.0)
    assert all(a.end <= b.start for a, b in zip(said.segments, said.segments[1:], strict=False))
    silence = sum(b.start - a.end for a, b in zip(said.segments, said.segments[1:], strict=False))
    assert silence == pytest.approx(95.0 - sum(map(float, texts)), abs=0.02) and silence > 20


def test_a_short_recording_is_one_segment() -> None:
    said = transcribe_long(Meter(), np.full(RATE, 0.1, np.float32), None)  # type: ignore[arg-type]
    assert said.segments == (Segment(0.0, 1.0, "1.00"),)
    assert Meter().transcribe_batch([np.ones(RATE)])[0] == said  # segments do not tell transcripts apart


class Polyglot(Meter):
    """Finds a language out where there is speech, and remembers what it was asked."""

    def __init__(self, heard: str | None) -> None:
        self.heard = heard
        self.asked: list[tuple[int, str | None]] = []

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        self.asked.append((len(clips), language))
        return [Transcript(f"{len(c) / RATE:.2f}", (), len(c) / RATE, language or self.heard) for c in clips]


def _long() -> np.ndarray:
    """Nine parts, the fifth and sixth of them silent."""
    samples = np.random.default_rng(0).normal(0, 0.1, 240 * RATE).astype(np.float32)
    samples[110 * RATE : 170 * RATE] = 0.0
    return samples


@pytest.mark.parametrize("together", [1, 3, 4, 20])
def test_parts_together_are_what_they_are_alone(together: int) -> None:
    alone = transcribe_long(Meter(), _long(), None)  # type: ignore[arg-type]
    assert transcribe_long(Meter(), _long(), None, together=together) == alone  # type: ignore[arg-type]
    assert transcribe_long(Meter(), _long(), None, together=together).segments == alone.segments  # type: ignore[arg-type]


def test_a_language_is_found_out_before_parts_go_together() -> None:
    runtime, samples = Polyglot("de"), np.random.default_rng(0).normal(0, 0.1, 240 * RATE).astype(np.float32)
    said = transcribe_long(runtime, samples, None, together=4, finds_language=True)  # type: ignore[arg-type]
    assert said.language == "de"
    assert runtime.asked[0] == (1, None) and {language for _, language in runtime.asked[1:]} == {"de"}
    assert max(count for count, _ in runtime.asked) == 4
    told = Polyglot("de")
    transcribe_long(told, samples, "fr", together=4, finds_language=True)  # type: ignore[arg-type]
    assert told.asked[0] == (4, "fr")
