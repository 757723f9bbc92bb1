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
