"""One clip as both models heard it, as a report keeps it."""

from __future__ import annotations

from dataclasses import dataclass


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
