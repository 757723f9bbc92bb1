"""Models beside full precision, along what full precision writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx.evaluate import Utterance
from myqasr_fx.evaluate.divergence import divergence_of
from myqasr_fx.personalize import full_precision as module
from myqasr_fx.personalize.full_precision import FullPrecision
from myqasr_fx.runtime.runtime import Transcript

RATE = 16_000


class Speaker:
    """A model whose logits (len(tokens) + 1, 5) are ``pull`` times a fixed draw, and that counts what it is asked."""

    def __init__(self, pull: float) -> None:
        self.pull, self.heard = pull, 0

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        self.heard += 1
        return [Transcript("", (1, 2), len(clip) / RATE, language) for clip in clips]

    def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        return self.pull * np.random.default_rng(len(samples)).normal(size=(len(tokens) + 1, 5)).astype(np.float32)


@pytest.fixture
def utterance(tmp_path: Path) -> Utterance:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, RATE // 2), RATE, subtype="FLOAT")
    return Utterance(tmp_path / "a.wav", "")


def test_full_precision_is_no_distance_from_itself(utterance: Utterance) -> None:
    full = Speaker(4.0)
    compared = FullPrecision(full).compare(full, utterance)
    assert (compared.tokens, compared.same) == (3, 3)
    assert compared.nats == pytest.approx(0, abs=1e-5)


def test_the_distance_is_that_of_the_distributions(utterance: Utterance) -> None:
    full, other, opposite = Speaker(4.0), Speaker(1.0), Speaker(-4.0)
    logits = [model.logits(np.zeros(RATE // 2), (1, 2)) for model in (full, other)]
    reference = FullPrecision(full)
    compared = reference.compare(other, utterance)
    assert compared.nats == pytest.approx(divergence_of(*logits).sum(), rel=2**-9)  # half precision, summed
    assert (compared.same, reference.compare(opposite, utterance).same) == (3, 0)
    assert full.heard == 1


def test_what_finds_no_room_is_computed_again(utterance: Utterance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 0)
    full = Speaker(4.0)
    reference = FullPrecision(full)
    first, second = (reference.compare(Speaker(1.0), utterance) for _ in range(2))
    assert (first, full.heard) == (second, 2)


def test_long_recordings_are_compared_chunk_by_chunk(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 40 * RATE)
    soundfile.write(tmp_path / "long.wav", noise, RATE, subtype="FLOAT")
    full = Speaker(4.0)
    assert FullPrecision(full).compare(full, Utterance(tmp_path / "long.wav", "")).tokens == 6
    assert full.heard == 2
