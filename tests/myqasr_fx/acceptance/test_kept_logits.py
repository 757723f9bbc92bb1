from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.acceptance.kept_logits import KeptLogits
from myqasr_fx.measure.store import Keys, Store
from myqasr_fx.runtime import Transcript

CLIPS = [np.full(400, value, np.float32) for value in (0.25, 0.5)]


class Counting:
    """A model that counts how often it is asked for logits."""

    model_bytes = 12

    def __init__(self) -> None:
        self.asked = 0

    def transcribe(self, audio: str | Path | np.ndarray, language: str | None = None) -> Transcript:
        return Transcript("one", (1,), 1.0, language)

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        return [Transcript("one of many", (1,), 1.0, language) for _ in clips]

    def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        self.asked += 1
        values = np.random.default_rng(len(tokens)).normal(size=(len(tokens) + 1, 5)).astype(np.float32)
        return values * samples[0] + (language == "de")


def keeping(model: Counting, folder: Path, most_bytes: int = 1 << 20) -> KeptLogits:
    return KeptLogits(model, Store(folder, Keys("model", None, "hf")), most_bytes)


def test_a_second_run_gets_the_same_bits_and_asks_nothing(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    once = [keeping(first, tmp_path).logits(clip, (3, 4), "de") for clip in CLIPS]
    again = [keeping(second, tmp_path).logits(clip, (3, 4), "de") for clip in CLIPS]
    assert (first.asked, second.asked) == (2, 0)
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(once, again, strict=True))


@pytest.mark.parametrize(
    "asked", [(CLIPS[1], (3, 4), "de"), (CLIPS[0], (3,), "de"), (CLIPS[0], (34,), "de"), (CLIPS[0], (3, 4), None)]
)
def test_another_clip_text_or_language_is_computed(
    tmp_path: Path, asked: tuple[np.ndarray, tuple[int, ...], str | None]
) -> None:
    model = Counting()
    kept = keeping(model, tmp_path)
    kept.logits(CLIPS[0], (3, 4), "de")
    assert np.array_equal(kept.logits(*asked), Counting().logits(*asked))
    assert model.asked == 2


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_file_is_computed_again_and_mended(tmp_path: Path, damage: str) -> None:
    model = Counting()
    kept = keeping(model, tmp_path)
    expected = kept.logits(CLIPS[0], (3, 4))
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-3] if damage == "cut" else whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
    for _ in range(2):
        assert np.array_equal(kept.logits(CLIPS[0], (3, 4)), expected)
    assert model.asked == 2


def test_no_more_is_kept_than_has_room(tmp_path: Path) -> None:
    kept = keeping(Counting(), tmp_path, 3 * 5 * 4)
    for clip in CLIPS:
        kept.logits(clip, (3, 4))
    assert len(list(tmp_path.iterdir())) == 1


def test_it_transcribes_as_the_model_does(tmp_path: Path) -> None:
    kept = keeping(Counting(), tmp_path)
    assert kept.model_bytes == 12
    assert kept.transcribe(CLIPS[0], "de") == Counting().transcribe(CLIPS[0], "de")
    assert kept.transcribe_batch(CLIPS) == Counting().transcribe_batch(CLIPS)
