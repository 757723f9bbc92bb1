from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.acceptance.compare import Heard, compare, word_edits
from myqasr_fx.audio import Clip
from myqasr_fx.bundle.comparison import WordEdits
from myqasr_fx.runtime import Transcript

CLIP = Clip(Path("/home/me/a.wav"), np.ones(16_000, np.float32))


@dataclass
class Speaker:
    """A model that says one text and prefers one token at every position."""

    text: str
    best: Sequence[int]
    model_bytes: int = 0
    told: list[str | None] = field(default_factory=list)

    def transcribe(self, audio: object, language: str | None = None) -> Transcript:
        raise NotImplementedError

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        self.told.append(language)
        return [Transcript(self.text, (1,), 1.0, language) for _ in clips]

    def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        return 5.0 * np.eye(4, dtype=np.float32)[list(self.best)]


def heard(text: str) -> list[Heard]:
    return [Heard(CLIP, Transcript(text, (1, 2), 1.0, "de"))]


def lower(text: str, language: str | None) -> str:
    return text.lower()


def test_one_clip_heard_by_both() -> None:
    full, quantized = Speaker("unused", [0, 1, 2]), Speaker("The Cat sits", [0, 1, 3])
    (row,) = compare(full, quantized, heard("the cat sat down"), lower)
    assert (row.positions, row.same) == (3, 2)
    assert row.kl > 1
    assert row.edits == WordEdits(words=4, substitutions=1, deletions=1, insertions=0)
    assert (row.name, row.seconds, row.expected, row.got) == ("a.wav", 1.0, "the cat sat down", "The Cat sits")
    assert not row.loop
    assert not row.blank
    assert full.told == []  # not decoded a second time
    assert quantized.told == ["de"]


@pytest.mark.parametrize(
    ("expected", "got", "loop", "blank"),
    [
        ("a b", "so so so so so", True, False),
        ("so so so so so", "so so so so so so", False, False),
        ("a b", "", False, True),
        ("", "", False, False),
        ("", "so", False, False),
    ],
)
def test_loops_and_blanks_are_the_quantized_models_own(expected: str, got: str, loop: bool, blank: bool) -> None:
    (row,) = compare(Speaker("", [0]), Speaker(got, [0]), heard(expected), lower)
    assert (row.loop, row.blank) == (loop, blank)


def test_edits() -> None:
    assert word_edits("a b c", "a x c d") == WordEdits(3, 1, 0, 1)
    assert word_edits("a b c", "a x c d").changes == 2
    assert word_edits("", "a b") == WordEdits(0, 0, 0, 2)
