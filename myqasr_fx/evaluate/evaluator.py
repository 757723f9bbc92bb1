"""Transcribes a manifest's recordings and counts the errors."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from myqasr_fx.audio import Clip, load_audio
from myqasr_fx.errors import EvaluationError, ModelError
from myqasr_fx.evaluate.bootstrap import Interval, difference_interval, rate_interval
from myqasr_fx.evaluate.manifest import Utterance
from myqasr_fx.evaluate.wer import ErrorCount, Normalizer, character_errors, normalize, normalize_plain, word_errors
from myqasr_fx.models.languages import is_auto, unless_auto, usual_code
from myqasr_fx.process.progress import Progress, Silent
from myqasr_fx.runtime.chunks import CHUNK_SECONDS
from myqasr_fx.runtime.runtime import Runtime, Transcript
from myqasr_fx.runtime.whisper import WhisperRuntime

BATCH = 4
"""Utterances decoded together: the decoder reads its weights once for all of them."""


@dataclass(frozen=True, slots=True)
class ScoredUtterance:
    """One utterance and its errors.

    Args:
        audio: File name as in the manifest.
        reference: Normalized reference.
        hypothesis: Normalized transcript.
        transcript: Transcript as written.
        words: Word errors.
        characters: Character errors.
        seconds: Length of the audio.
    """

    audio: str
    reference: str
    hypothesis: str
    transcript: str
    words: ErrorCount
    characters: ErrorCount
    seconds: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The score of a model on a manifest.

    Args:
        wer: Word errors a reference word.
        cer: Character errors a reference character.
        wer_ci95: 95 % interval of ``wer``, utterances resampled.
        utterances: Number of utterances.
        words: Words of the references.
        audio_seconds: Length of the audio.
        compute_seconds: Wall time of features, model and decoding.
        bytes: Of the model.
        rows: The utterances, in the manifest's order.
    """

    wer: float
    cer: float
    wer_ci95: Interval
    utterances: int
    words: int
    audio_seconds: float
    compute_seconds: float
    bytes: int
    rows: tuple[ScoredUtterance, ...]

    @property
    def rtf(self) -> float:
        """Real-time factor: seconds of work a second of audio."""
        return self.compute_seconds / self.audio_seconds

    def as_dict(self, rows: bool = False) -> dict[str, Any]:
        """Plain values for JSON.

        Args:
            rows: Include the utterances.
        """
        plain = dataclasses.asdict(self)
        plain |= {"wer_ci95": [self.wer_ci95.low, self.wer_ci95.high], "rtf": self.rtf}
        if not rows:
            del plain["rows"]
        return plain


def evaluate(
    runtime: Runtime,
    utterances: Sequence[Utterance],
    *,
    language: str | None = None,
    normalizer: Normalizer | None = None,
    progress: Progress | None = None,
    stage: str = "evaluate",
) -> Evaluation:
    """Transcribes ``utterances`` and scores the transcripts.

    Args:
        runtime: The model.
        utterances: What to transcribe.
        language: Told to a multilingual model for all utterances; ``auto`` has it find that of each, None tells it each
            utterance's own. An English-only Whisper takes no other.
        normalizer: Applied to references and transcripts; None takes Whisper's for Whisper, else the plain one.
        progress: Who is told how many utterances are done.
        stage: What the work is called there.

    Raises:
        EvaluationError: No utterance, or no word in any reference.
        AudioError: A recording cannot be used.
        ModelError: The model does not know ``language``, or an utterance's own.
    """
    if not utterances:
        raise EvaluationError("no utterance to score")
    if (asked := unless_auto(language)) and isinstance(runtime, WhisperRuntime):
        runtime.settings.language_code(asked)
    _check_languages(runtime, utterances, language)
    if is_auto(language) and isinstance(runtime, WhisperRuntime):
        runtime = runtime.finding_out()
    normalizer = normalizer or default_normalizer(runtime)
    scored: dict[int, ScoredUtterance] = {}
    seconds = 0.0
    with (progress or Silent()).stage(stage, len(utterances)) as advance:
        for batch in _batches(utterances):
            clips = [load_audio(utterances[index].audio) for index in batch]
            start = time.perf_counter()
            transcripts = _transcribe(runtime, clips, told_language(language, utterances[batch[0]]))
            seconds += time.perf_counter() - start
            for index, transcript in zip(batch, transcripts, strict=True):
                scored[index] = _score(utterances[index], transcript, normalizer)
            advance(len(batch))
    return _summarize([scored[index] for index in range(len(utterances))], seconds, runtime.model_bytes)


def default_normalizer(runtime: Runtime) -> Normalizer:
    """Whisper's normalization for Whisper, else the plain one."""
    return normalize if isinstance(runtime, WhisperRuntime) else normalize_plain


def paired_wer_difference(evaluation: Evaluation, other: Evaluation) -> Interval:
    """95 % interval of the WER of ``evaluation`` minus that of ``other`` on the same utterances.

    Raises:
        EvaluationError: They scored different utterances.
    """
    pairs = list(zip(evaluation.rows, other.rows, strict=False))
    if len(evaluation.rows) != len(other.rows) or any(a.audio != b.audio for a, b in pairs):
        raise EvaluationError("the two evaluations scored different utterances")
    errors, other_errors = [a.words.errors for a, _ in pairs], [b.words.errors for _, b in pairs]
    return difference_interval(errors, other_errors, [a.words.total for a, _ in pairs])


def told_language(language: str | None, utterance: Utterance) -> str | None:
    """What a model is told of an utterance: the language for all, else its own; nothing where it is to find it out."""
    return unless_auto(language) if language else utterance.lang


def spoken_language(runtime: Runtime, language: str | None) -> str | None:
    """The code of ``language`` for a model that can be told one, None for one that knows a single language.

    Raises:
        ModelError: The model does not know it.
    """
    if not (language and isinstance(runtime, WhisperRuntime) and runtime.settings.is_multilingual):
        return None
    return runtime.settings.language_code(language)


def _check_languages(runtime: Runtime, utterances: Sequence[Utterance], language: str | None) -> None:
    """Refuses an unknown one before hours of others are scored; each is asked once."""
    for utterance in {utterance.lang: utterance for utterance in utterances}.values():
        try:
            spoken_language(runtime, told_language(language, utterance))
        except ModelError as error:
            raise ModelError(f"{utterance.name}: {error.message}", hint=error.hint) from error


def _batches(utterances: Sequence[Utterance]) -> Iterator[list[int]]:
    """Positions of utterances of one language, of similar length where the manifest tells it."""

    def order(index: int) -> tuple[str, float]:
        utterance = utterances[index]
        return utterance.lang or "", _told_seconds(utterance)

    ordered = sorted(range(len(utterances)), key=order)
    for _, group in groupby(ordered, key=lambda index: order(index)[0]):
        members = list(group)
        for start in range(0, len(members), BATCH):
            yield members[start : start + BATCH]


def _told_seconds(utterance: Utterance) -> float:
    """Of the manifest, which nobody checked; 0 where that is no number, as lengths only sort."""
    told = utterance.fields.get("seconds")
    if not isinstance(told, (int, float)) or isinstance(told, bool) or not -math.inf < told < math.inf:
        return 0.0
    return told


def _transcribe(runtime: Runtime, clips: Sequence[Clip], language: str | None) -> list[Transcript]:
    language = spoken_language(runtime, language)
    if any(clip.seconds > CHUNK_SECONDS for clip in clips):
        return [runtime.transcribe(clip.samples, language) for clip in clips]
    return runtime.transcribe_batch([clip.samples for clip in clips], language)


def _score(utterance: Utterance, transcript: Transcript, normalizer: Normalizer) -> ScoredUtterance:
    language = usual_code(utterance.lang)
    reference = normalizer(utterance.text, language)
    hypothesis = normalizer(transcript.text, language)
    return ScoredUtterance(
        audio=utterance.name,
        reference=reference,
        hypothesis=hypothesis,
        transcript=transcript.text,
        words=word_errors(reference, hypothesis),
        characters=character_errors(reference, hypothesis),
        seconds=transcript.seconds,
    )


def _summarize(rows: Sequence[ScoredUtterance], seconds: float, size: int) -> Evaluation:
    words = sum((row.words for row in rows), ErrorCount(0, 0))
    characters = sum((row.characters for row in rows), ErrorCount(0, 0))
    if not words.total:
        raise EvaluationError("no reference holds a word", hint="check the manifest's texts")
    return Evaluation(
        wer=words.rate,
        cer=characters.rate,
        wer_ci95=rate_interval([row.words.errors for row in rows], [row.words.total for row in rows]),
        utterances=len(rows),
        words=words.total,
        audio_seconds=sum(row.seconds for row in rows),
        compute_seconds=seconds,
        bytes=size,
        rows=tuple(rows),
    )
