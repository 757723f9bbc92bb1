from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx.errors import EvaluationError, ModelError
from myqasr_fx.evaluate import Utterance, beside, evaluate, measure_divergence, paired_wer_difference
from myqasr_fx.evaluate.divergence import divergence_of
from myqasr_fx.evaluate.evaluator import _batches
from myqasr_fx.runtime import Transcript, WhisperRuntime
from myqasr_fx.runtime.torch_runner import torch_runtime

RATE = 16_000


class Echo:
    """Says how long a clip is in whole seconds, and one token a second."""

    model_bytes = 123

    def __init__(self, mistakes: int = 0, bias: float = 0.0) -> None:
        self.mistakes = mistakes
        self.bias = bias
        self.batches: list[int] = []

    def transcribe(self, audio: str | Path | np.ndarray, language: str | None = None) -> Transcript:
        return self.transcribe_batch([np.asarray(audio)], language)[0]

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        assert language is None
        self.batches.append(len(clips))
        lengths = [round(len(clip) / RATE) for clip in clips]
        return [
            Transcript("word " * (n - self.mistakes), (1,) * n, len(c) / RATE)
            for n, c in zip(lengths, clips, strict=True)
        ]

    def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        logits = np.tile(np.array([0.0, 2.0, 1.0]), (len(tokens) + 1, 1))
        logits[0, 2] += self.bias
        return logits


@pytest.fixture
def utterances(tmp_path) -> list[Utterance]:
    made = []
    for index, (seconds, lang) in enumerate([(3, "en"), (2, "de"), (31, "en"), (2, "en"), *[(1, "de")] * 9]):
        path = tmp_path / f"{index}.wav"
        soundfile.write(path, np.full(seconds * RATE, 0.1), RATE)
        fields = {"audio": path.name, "seconds": seconds}
        made.append(Utterance(path, "Word, " * seconds, lang, fields))
    return made


def test_perfect_transcripts(utterances):
    runtime = Echo()
    score = evaluate(runtime, utterances)
    assert (score.wer, score.cer, score.utterances, score.words, score.bytes) == (0, 0, 13, 47, 123)
    assert score.audio_seconds == pytest.approx(47)
    assert score.rtf == score.compute_seconds / 47 > 0
    assert [row.audio for row in score.rows] == [f"{index}.wav" for index in range(13)]
    assert max(runtime.batches) == 4


def test_lengths_of_a_manifest_sort_where_they_are_numbers(utterances):
    told = [None, True, "1.5", "0:01", [1], {}, math.nan, math.inf, 10**299, 3, 0.5, 2]
    given = [
        replace(utterances[index], lang="de", fields={"audio": str(index), "seconds": seconds})
        for index, seconds in zip([0, 1, 3, *range(4, 13)], told, strict=True)
    ]
    runtime = Echo()
    assert [row.audio for row in evaluate(runtime, given).rows] == [utterance.name for utterance in given]
    assert runtime.batches == [4, 4, 4]
    order = [told[index] for batch in _batches(given) for index in batch]
    assert order[-4:] == [0.5, 2, 3, 10**299]


def test_texts_are_compared_as_their_language_asks(utterances):
    seen = []
    evaluate(
        Echo(),
        [replace(utterances[0], lang=lang) for lang in ("English", "zh_CN", "xx", None)],
        normalizer=lambda text, language: seen.append(language) or text,
    )
    assert sorted({str(language) for language in seen}) == ["None", "en", "xx", "zh"]


def test_errors_are_pooled_over_words(utterances):
    score = evaluate(Echo(mistakes=1), utterances)
    assert score.wer == pytest.approx(13 / 47)
    assert score.wer_ci95.low < score.wer < score.wer_ci95.high
    assert score.rows[2].words.errors == 1


def test_json_has_the_promised_keys(utterances):
    plain = json.loads(json.dumps(evaluate(Echo(), utterances[:2]).as_dict(rows=True)))
    assert {"wer", "cer", "wer_ci95", "utterances", "bytes", "rtf", "rows"} <= set(plain)
    assert "rows" not in evaluate(Echo(), utterances[:2]).as_dict()


def test_paired_difference(utterances):
    good, bad = evaluate(Echo(), utterances), evaluate(Echo(mistakes=1), utterances)
    interval = paired_wer_difference(bad, good)
    assert 0 < interval.low <= 13 / 47 <= interval.high
    with pytest.raises(EvaluationError, match="different utterances"):
        paired_wer_difference(good, evaluate(Echo(), utterances[1:]))


def test_nothing_to_score(utterances):
    with pytest.raises(EvaluationError, match="no utterance"):
        evaluate(Echo(), [])
    silent = Utterance(utterances[0].audio, "...", "en")
    with pytest.raises(EvaluationError, match="no reference holds a word"):
        evaluate(Echo(), [silent])


def test_divergence_of_distributions():
    expected = np.log(np.array([[0.5, 0.25, 0.25], [0.9, 0.05, 0.05]]))
    got = np.log(np.array([[0.25, 0.5, 0.25], [0.9, 0.05, 0.05]])) + 7
    np.testing.assert_allclose(divergence_of(expected, got), [0.25 * np.log(2), 0], atol=1e-12)


def test_divergence_of_runtimes():
    clips = [np.ones(2 * RATE, np.float32), np.ones(3 * RATE, np.float32)]
    same = measure_divergence(Echo(), Echo(), clips)
    assert (same.kl, same.agreement, same.tokens) == (0, 1, 7)
    other = measure_divergence(Echo(), Echo(bias=3), clips)
    assert other.kl > 0
    assert other.agreement == pytest.approx(5 / 7)
    with pytest.raises(EvaluationError, match="no clip"):
        measure_divergence(Echo(), Echo(), [])


def test_auto_has_a_model_find_the_language(tiny_whisper_multilingual, utterances):
    runtime = torch_runtime(tiny_whisper_multilingual, tiny_whisper_multilingual.capture())
    few = [utterances[1], utterances[3], *utterances[5:7]]
    found = evaluate(runtime, few, language="Auto")
    assert [row.transcript for row in found.rows] == [runtime.transcribe(one.audio).text for one in few]
    beside_itself = beside(found, runtime, runtime, few, language="auto")
    assert (beside_itself.difference, beside_itself.divergence.kl) == (0, 0)
    told = evaluate(runtime, few[:1])
    assert told.rows[0].transcript == runtime.transcribe(few[0].audio, "de").text


def test_a_line_of_an_unknown_language_is_named_before_any_is_heard(tiny_whisper_multilingual, utterances, monkeypatch):
    runtime = torch_runtime(tiny_whisper_multilingual, tiny_whisper_multilingual.capture())
    monkeypatch.setattr(WhisperRuntime, "transcribe_batch", lambda *_: pytest.fail("something was heard"))
    wrong = replace(utterances[5], lang="xx")
    with pytest.raises(ModelError, match=f"{wrong.name}: the model knows no language 'xx'"):
        evaluate(runtime, [*utterances[:5], wrong])
