"""One clip, heard by both models: teacher-forced distributions, and the texts that each writes by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import jiwer
import numpy as np

from myqasr_fx.acceptance.loops import is_loop
from myqasr_fx.audio import Clip
from myqasr_fx.evaluate.divergence import divergence_of
from myqasr_fx.evaluate.wer import Normalizer
from myqasr_fx.runtime import Runtime, Transcript


@dataclass(frozen=True, slots=True)
class WordEdits:
    """What turns one normalized text into another.

    Args:
        words: Of the first text.
        substitutions: Words written differently.
        deletions: Words of the first text only.
        insertions: Words of the second text only.
    """

    words: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def changes(self) -> int:
        """All three together."""
        return self.substitutions + self.deletions + self.insertions


@dataclass(frozen=True, slots=True)
class ClipComparison:
    """Both models on one clip.

    Args:
        name: File name and start, without the folder.
        seconds: Length of the clip.
        expected: Text of the full-precision model.
        got: Text of the quantized model.
        positions: Compared teacher-forced.
        same: Positions with the same best token.
        kl: Sum over the positions, nats.
        edits: From the normalized full-precision text to the quantized one.
        loop: The quantized text repeats itself and the other does not.
        blank: The quantized text has no word and the other has some.
    """

    name: str
    seconds: float
    expected: str
    got: str
    positions: int
    same: int
    kl: float
    edits: WordEdits
    loop: bool
    blank: bool


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
        said, samples = item.transcript, item.clip.samples
        expected = reference.logits(samples, said.tokens, said.language)
        got = candidate.logits(samples, said.tokens, said.language)
        (written,) = candidate.transcribe_batch([samples], said.language)
        texts = [normalizer(text, said.language) for text in (said.text, written.text)]
        yield ClipComparison(
            name=clip_name(item.clip),
            seconds=round(item.clip.seconds, 3),
            expected=said.text,
            got=written.text,
            positions=len(expected),
            same=int(np.equal(expected.argmax(-1), got.argmax(-1)).sum()),
            kl=float(divergence_of(expected, got).sum()),
            edits=word_edits(*texts),
            loop=is_loop(texts[1]) and not is_loop(texts[0]),
            blank=bool(texts[0]) and not texts[1],
        )


def word_edits(expected: str, got: str) -> WordEdits:
    """Fewest edits between two normalized texts."""
    out = jiwer.process_words(expected, got)
    return WordEdits(len(expected.split()), out.substitutions, out.deletions, out.insertions)


def clip_name(clip: Clip) -> str:
    """File name without its folder, with the start in seconds where the clip is not a recording's first."""
    name = "recording" if clip.path is None else clip.path.name
    return f"{name} from {clip.start:g} s" if clip.start else name
