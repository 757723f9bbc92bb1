"""Recordings fed in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.errors import ModelError, OptionError
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import Heard, Listener, Transcript, WhisperRuntime, load_bundle
from myqasr_fx.runtime.torch_runner import torch_runtime

RATE = 16_000


class Meter:
    """A runtime that tells how long and how loud a phrase is."""

    def __init__(self) -> None:
        self.languages: list[str | None] = []
        self.seconds: list[float] = []

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        self.languages.append(language)
        self.seconds += [len(clip) / RATE for clip in clips]
        return [Transcript(f"{len(clip)} {np.abs(clip).sum():.3f}", (), len(clip) / RATE) for clip in clips]


def spoken(*seconds: float) -> np.ndarray:
    """Noise and near silence in turn, so many seconds of each; the first is silence."""
    random = np.random.default_rng(0)
    parts = [random.normal(0, (0.0005, 0.1)[i % 2], round(s * RATE)) for i, s in enumerate(seconds)]
    return np.concatenate(parts).astype(np.float32)


def fed(listener: Listener, samples: np.ndarray, sizes: Iterator[int]) -> list[Heard]:
    found: list[Heard] = []
    while len(samples):
        size = next(sizes)
        found += listener.feed(samples[:size])
        samples = samples[size:]
    return found + listener.finish()


def of(size: int) -> Iterator[int]:
    while True:
        yield size


def test_final_texts_do_not_depend_on_the_blocks() -> None:
    samples = spoken(0.7, 2.5, 1.0, 1.3, 0.3, 0.9, 1.2, 3.1)
    random = np.random.default_rng(1)
    told = []
    for sizes in (of(1600), of(len(samples)), of(317), iter(random.integers(1, 9_000, 10_000).tolist())):
        found = fed(Listener(Meter()), samples, sizes)  # type: ignore[arg-type]
        told.append([said for said in found if said.final])
    assert all(other == told[0] for other in told)
    # two bursts with 0.3 s between them are one phrase; each has 0.3 s before it and, but for the last, 0.6 s behind it
    spans = ((0.4, 3.8), (3.9, 7.3), (7.6, 11.0))
    assert [(said.start, said.end) for said in told[0]] == [pytest.approx(span, abs=0.04) for span in spans]


def test_partial_texts_come_between() -> None:
    meter = Meter()
    found = fed(Listener(meter, every=1.0), spoken(0.5, 3.4, 1.0), of(800))  # type: ignore[arg-type]
    assert [(said.end, said.final) for said in found[:-1]] == [(1, False), (2, False), (3, False), (4, False)]
    assert found[-1].final and found[-1].end == pytest.approx(4.5, abs=0.05)
    assert len({said.start for said in found}) == 1
    alone = Meter()
    final = fed(Listener(alone, partial=False), spoken(0.5, 3.4, 1.0), of(800))  # type: ignore[arg-type]
    assert final == found[-1:] and len(alone.seconds) == 1


def test_nobody_speaks() -> None:
    for quiet in (np.zeros(10 * RATE, np.float32), spoken(10.0)):
        meter = Meter()
        assert fed(Listener(meter), quiet, of(1600)) == []  # type: ignore[arg-type]
        assert meter.seconds == []


def test_an_empty_text_is_not_told() -> None:
    class Deaf(Meter):
        def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
            return [Transcript("", (), len(clip) / RATE, no_speech=True) for clip in clips]

    assert fed(Listener(Deaf()), spoken(0.5, 3.0, 1.0), of(1600)) == []  # type: ignore[arg-type]


def test_a_phrase_without_a_pause_is_cut_within_what_a_model_hears() -> None:
    samples = spoken(0.5, 60.0, 1.0)
    quietest = round(26.0 * RATE)
    samples[quietest : quietest + 640] *= 0.01
    meter = Meter()
    found = fed(Listener(meter, partial=False), samples, of(1600))  # type: ignore[arg-type]
    assert max(meter.seconds) <= 28.0
    assert [said.final for said in found] == [True] * 3
    assert found[0].end == pytest.approx(26.0, abs=0.05)
    assert all(one.end == other.start for one, other in pairwise(found))
    assert sum(meter.seconds) == pytest.approx(60.9, abs=0.1)


def test_language_and_bounds() -> None:
    meter = Meter()
    fed(Listener(meter, "de"), spoken(0.5, 1.0, 1.0), of(1600))  # type: ignore[arg-type]
    fed(Listener(meter, "auto"), spoken(0.5, 1.0, 1.0), of(1600))  # type: ignore[arg-type]
    assert set(meter.languages) == {"de", None}
    for options in ({"every": 0.0}, {"pause": 11.0}):
        with pytest.raises(OptionError, match=r"expected 0\.1 to 10 seconds"):
            Listener(meter, **options)  # type: ignore[arg-type]


def test_a_bundle_listens(bundles: list[Path], noise: list[np.ndarray]) -> None:
    runtime = load_bundle(bundles[1])
    samples = np.concatenate([np.zeros(RATE, np.float32), noise[0], np.zeros(RATE, np.float32)])
    (said,) = fed(Listener(runtime, partial=False), samples, of(1000))
    start, end = round(said.start * RATE), round(said.end * RATE)
    assert said.text == runtime.transcribe(samples[start:end]).text != ""


def test_partial_texts_are_not_drawn_again(
    bundles: list[Path], noise: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    hear = WhisperRuntime.transcribe_batch

    def told(self: WhisperRuntime, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        asked.append(self.decoding.redraws)
        return hear(self, clips, language)

    monkeypatch.setattr(WhisperRuntime, "transcribe_batch", told)
    samples = np.concatenate([np.zeros(RATE, np.float32), noise[0], np.zeros(RATE, np.float32)])
    fed(Listener(load_bundle(bundles[0]), "en"), samples, of(1000))
    assert len(asked) > 1 and asked == [*["never"] * (len(asked) - 1), "loops"]


@pytest.mark.parametrize(
    "frames",
    [
        (20, 50, 30, 1),  # a loud frame is all that comes behind a pause
        (15, 1384, 1),  # the last frame of a phrase that is too long is its quietest
        (15, 1384, 1, 200, 60),
    ],
    ids=["behind a pause", "at the end", "amid speech"],
)
@pytest.mark.parametrize("block", [320, 160, 16_000])
def test_what_a_cut_leaves_is_heard_only_where_a_model_can(frames: tuple[int, ...], block: int) -> None:
    meter = Meter()
    samples = spoken(*(count * 0.02 for count in frames))
    fed(Listener(meter, every=0.1), samples, of(block))  # type: ignore[arg-type]
    assert meter.seconds and min(meter.seconds) >= 0.025


def test_a_language_is_checked_before_anything_is_heard(
    tiny_whisper_multilingual: SpeechModel, tiny_wav2vec2: SpeechModel
) -> None:
    whisper, ctc = (torch_runtime(model, model.capture()) for model in (tiny_whisper_multilingual, tiny_wav2vec2))
    Listener(whisper, "auto")
    Listener(ctc, "auto")
    with pytest.raises(ModelError, match="klingon"):
        Listener(whisper, "klingon")
    with pytest.raises(ModelError, match="a CTC model cannot be told language 'de'"):
        Listener(ctc, "de")
