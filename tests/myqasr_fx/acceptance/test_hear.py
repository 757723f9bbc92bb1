from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.acceptance.advice import Run
from myqasr_fx.acceptance.hear import hear
from myqasr_fx.acceptance.trial import Trial
from myqasr_fx.audio import Clip, ClipSet
from myqasr_fx.measure.clip_shares import share_clips
from myqasr_fx.measure.measurements import Observed
from myqasr_fx.measure.store import Keys, Store
from myqasr_fx.options.thresholds import Thresholds
from myqasr_fx.process.limits import Limits
from myqasr_fx.runtime import Transcript


class Counting:
    """A model that counts the clips it decodes, and how many at once."""

    model_bytes = 0

    def __init__(self) -> None:
        self.batches: list[int] = []

    @property
    def decoded(self) -> int:
        return sum(self.batches)

    def transcribe_batch(self, clips: list[np.ndarray], language: str | None = None) -> list[Transcript]:
        self.batches.append(len(clips))
        return [Transcript(f"{clip[0]:.4f}", (1, 2), 1.0, language) for clip in clips]


def trial(count: int, folder: Path | None = None, language: str | None = None) -> Trial:
    """A quarter of so many clips is held out, from eight on."""
    random = np.random.default_rng(0)
    clips = ClipSet(tuple(Clip(None, random.random(400, np.float32)) for _ in range(count)))
    shares = share_clips(clips, 0.25, 0, Limits())
    said = tuple(Transcript(f"{clip.samples[0]:.4f}", (), 1.0) for clip in shares.observe.clips)
    store = Store(folder, Keys("model", language, "hf"))
    run = Run(hardest=True, model_bytes=1, num_weights=1, holdout=0.25, max_clips=40, enough=8)
    return Trial(shares, Observed(shares.observe, said), Thresholds(), language, store, run)


def test_clips_of_the_calibration_are_not_decoded_again() -> None:
    model = Counting()
    heard = hear(model, trial(5), 8)
    assert model.decoded == 0
    assert len(heard) == 5
    assert [h.transcript.text for h in heard] == [f"{h.clip.samples[0]:.4f}" for h in heard]


@pytest.mark.parametrize("damage", [None, b"{", b"[]", b""])
def test_held_out_clips_are_decoded_once_and_kept(tmp_path: Path, damage: bytes | None) -> None:
    asked = trial(40, tmp_path, "de")
    first, second, third = Counting(), Counting(), Counting()
    heard = hear(first, asked, 8)
    assert first.batches == [8, 2]
    (kept,) = tmp_path.iterdir()
    if damage is not None:
        kept.write_bytes(damage)
    again = hear(second, asked, 8)
    assert second.decoded == (0 if damage is None else 10)
    assert [h.transcript for h in again] == [h.transcript for h in heard]
    assert [h.clip for h in again] == list(asked.shares.judge)
    hear(third, asked, 8)
    assert third.decoded == 0  # mended


def test_transcripts_of_fewer_clips_are_not_taken_for_these(tmp_path: Path) -> None:
    asked, model = trial(40, tmp_path), Counting()
    key = asked.store.keys.transcripts(asked.shares.judge)
    asked.store.write(key, (Transcript("one", (1,), 1.0),))
    heard = hear(model, asked, 3)
    assert model.batches == [3, 3, 3, 1]
    assert asked.store.read(key) == tuple(h.transcript for h in heard)


def test_another_language_is_decoded_again(tmp_path: Path) -> None:
    models = [Counting(), Counting()]
    for model, language in zip(models, ("de", "en"), strict=True):
        hear(model, trial(40, tmp_path, language), 8)
    assert [model.decoded for model in models] == [10, 10]


def test_nothing_is_kept_without_a_folder() -> None:
    model, asked = Counting(), trial(40)
    for _ in range(2):
        hear(model, asked, 8)
    assert model.decoded == 20
