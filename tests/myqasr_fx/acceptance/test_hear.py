from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.acceptance.hear import hear
from myqasr_fx.acceptance.holdout import Split, hold_out
from myqasr_fx.audio import Clip, ClipSet
from myqasr_fx.measure.observe import Calibration
from myqasr_fx.runtime import Transcript


class Counting:
    """A model that counts the clips it decodes."""

    model_bytes = 0

    def __init__(self) -> None:
        self.decoded = 0

    def transcribe_batch(self, clips: list[np.ndarray], language: str | None = None) -> list[Transcript]:
        self.decoded += len(clips)
        return [Transcript(f"{clip[0]:.4f}", (1, 2), 1.0, language) for clip in clips]


def calibration(split: Split) -> Calibration:
    said = tuple(Transcript(f"{clip.samples[0]:.4f}", (), 1.0) for clip in split.calibration.clips)
    return Calibration(split.calibration, said, {}, {})


def clips(count: int) -> ClipSet:
    random = np.random.default_rng(0)
    return ClipSet(tuple(Clip(None, random.random(400, np.float32)) for _ in range(count)))


def test_clips_of_the_calibration_are_not_decoded_again() -> None:
    split, model = hold_out(clips(5), 0.25, 0), Counting()
    heard = hear(model, split, calibration(split), None, None)
    assert model.decoded == 0
    assert [h.transcript.text for h in heard] == [f"{h.clip.samples[0]:.4f}" for h in heard]


@pytest.mark.parametrize("damage", [None, "{", "[]"])
def test_held_out_clips_are_decoded_once_and_kept(tmp_path: Path, damage: str | None) -> None:
    split, kept = hold_out(clips(40), 0.25, 0), tmp_path / "transcripts.json"
    first, second = Counting(), Counting()
    heard = hear(first, split, calibration(split), kept, "de")
    assert first.decoded == 10
    if damage is not None:
        kept.write_text(damage)
    again = hear(second, split, calibration(split), kept, "de")
    assert second.decoded == (0 if damage is None else 10)
    assert [h.transcript for h in again] == [h.transcript for h in heard]
    assert [h.clip for h in again] == list(split.judged)
