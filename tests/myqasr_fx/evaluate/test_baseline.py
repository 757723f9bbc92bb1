from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx.errors import EvaluationError
from myqasr_fx.evaluate import Utterance, beside, check_comparable, evaluate
from myqasr_fx.evaluate.divergence import divergence_of
from myqasr_fx.runtime import Transcript

RATE = 16_000
LOGITS = np.array([0.0, 2.0, 1.0])


class Speaker:
    """Says one word a second, the last ones wrong, with one token a word; prefers token 2 at the first position."""

    model_bytes = 99

    def __init__(self, mistakes: int = 0, bias: float = 0.0, tokens: int = 3) -> None:
        self.mistakes, self.bias, self.tokens = mistakes, bias, tokens
        self.longest = 0.0

    def transcribe(self, audio: str | Path | np.ndarray, language: str | None = None) -> Transcript:
        return self.transcribe_batch([np.asarray(audio)], language)[0]

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        assert language is None  # one language, whatever the manifest says
        lengths = [round(len(clip) / RATE) for clip in clips]
        said = ["word " * (n - self.mistakes) + "ward " * self.mistakes for n in lengths]
        return [Transcript(text, (1,) * n, n) for text, n in zip(said, lengths, strict=True)]

    def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        self.longest = max(self.longest, len(samples) / RATE)
        logits = np.tile(np.resize(LOGITS, self.tokens), (len(tokens) + 1, 1))
        logits[0, 2] += self.bias
        return logits


@pytest.fixture
def utterances(tmp_path: Path) -> list[Utterance]:
    made = []
    for seconds in (2, 5, 40):
        path = tmp_path / f"{seconds}.wav"
        soundfile.write(path, np.full(seconds * RATE, 0.1), RATE)
        made.append(Utterance(path, "word " * seconds, "en", {"audio": path.name, "seconds": seconds}))
    return made


def test_a_model_beside_itself(utterances: list[Utterance]) -> None:
    score = evaluate(Speaker(), utterances)
    found = beside(score, Speaker(), Speaker(), utterances)
    assert (found.difference, found.difference_ci95.low, found.difference_ci95.high) == (0, 0, 0)
    assert (found.divergence.kl, found.divergence.agreement) == (0, 1)


def test_what_differs_is_measured(utterances: list[Utterance]) -> None:
    candidate, baseline = Speaker(mistakes=1, bias=3.0), Speaker()
    found = beside(evaluate(candidate, utterances), candidate, baseline, utterances)
    assert found.evaluation.wer == 0
    assert found.difference == pytest.approx(3 / 47)
    assert found.difference_ci95.low <= found.difference <= found.difference_ci95.high
    # 40 s are two chunks, each with an end of its own and a first position that differs
    assert candidate.longest <= 30
    positions, chunks = 47 + 4, 4
    one = divergence_of(LOGITS[None], (LOGITS + np.array([0, 0, 3.0]))[None]).sum()
    assert found.divergence.tokens == positions
    assert found.divergence.kl == pytest.approx(chunks * one / positions)
    assert found.divergence.agreement == pytest.approx(1 - chunks / positions)


def test_json_has_the_promised_keys(utterances: list[Utterance]) -> None:
    plain = beside(evaluate(Speaker(), utterances), Speaker(), Speaker(), utterances).as_dict()
    assert {"wer", "bytes", "wer_difference", "wer_difference_ci95", "kl", "agreement", "positions"} <= set(plain)


def test_models_with_other_tokens_are_refused(utterances: list[Utterance]) -> None:
    with pytest.raises(EvaluationError, match="different tokens: 4 and 3"):
        beside(evaluate(Speaker(), utterances), Speaker(), Speaker(tokens=4), utterances)
    with pytest.raises(EvaluationError, match="different tokens: 4 and 3"):
        check_comparable(Speaker(), Speaker(tokens=4))
    check_comparable(Speaker(), Speaker())


def test_models_that_cut_sound_otherwise_are_refused() -> None:
    class Slower(Speaker):
        def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
            return super().logits(samples, (*tokens, 0), language)

    with pytest.raises(EvaluationError, match="the same sound as 1 and 2 frames"):
        check_comparable(Slower(), Speaker())
