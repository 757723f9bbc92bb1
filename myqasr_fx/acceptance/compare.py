"""One clip, heard by both models: teacher-forced distributions, and the texts that each writes by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import jiwer
import numpy as np

from myqasr_fx.acceptance.loops import is_loop
from myqasr_fx.audio import Clip, clip_name
from myqasr_fx.bundle.comparison import ClipComparison, WordEdits
from myqasr_fx.evaluate.divergence import divergence_of
from myqasr_fx.evaluate.wer import Normalizer
from myqasr_fx.runtime import Runtime, Transcript


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A clip and what the full-precision model writes for it."""

    clip: Clip
    transcript: Transcript


def compare(
    reference: Runtime, candidate: Runtime, heard: Sequence[Heard], normalizer: Normalizer
) -> Iterator[ClipComparison]:
    """Compares the models clip by clip.

    Args:
        reference: The full-precision model; it decodes nothing again.
        candidate: The quantized model.
        heard: Clips with the reference's transcripts.
        normalizer: Applied to both texts before words are compared.
    """
    for item in heard:
        yield compare_clip(item, forced(reference, item), candidate, written(candidate, item), normalizer)


def forced(runtime: Runtime, item: Heard) -> np.ndarray:
    """Logits (L, vocabulary) of a model for what the full-precision model writes for a clip."""
    return runtime.logits(item.clip.samples, item.transcript.tokens, item.transcript.language)


def written(runtime: Runtime, item: Heard) -> Transcript:
    """What a model writes for a clip by itself, told the language that the full-precision model heard."""
    (found,) = runtime.transcribe_batch([item.clip.samples], item.transcript.language)
    return found


def compare_clip(
    item: Heard, expected: np.ndarray, candidate: Runtime, got: Transcript, normalizer: Normalizer
) -> ClipComparison:
    """Compares the models on one clip.

    Args:
        item: The clip.
        expected: What :func:`forced` gives for the reference.
        candidate: The quantized model.
        got: What :func:`written` gives for it.
        normalizer: Applied to both texts before words are compared.
    """
    said, found = item.transcript, forced(candidate, item)
    texts = [normalizer(text, said.language) for text in (said.text, got.text)]
    return ClipComparison(
        name=clip_name(item.clip),
        seconds=round(item.clip.seconds, 3),
        expected=said.text,
        got=got.text,
        positions=len(expected),
        same=int(np.equal(expected.argmax(-1), found.argmax(-1)).sum()),
        kl=float(divergence_of(expected, found).sum()),
        edits=word_edits(*texts),
        loop=is_loop(texts[1]) and not is_loop(texts[0]),
        blank=bool(texts[0]) and not texts[1],
    )


def word_edits(expected: str, got: str) -> WordEdits:
    """Fewest edits between two normalized texts."""
    out = jiwer.process_words(expected, got)
    return WordEdits(len(expected.split()), out.substitutions, out.deletions, out.insertions)
