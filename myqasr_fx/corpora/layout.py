"""What a folder layout is, and what the layouts share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from myqasr_fx.errors import EvaluationError
from myqasr_fx.evaluate.manifest import Utterance


class CorpusLayout(Protocol):
    """A way in which a corpus is published."""

    @property
    def name(self) -> str:
        """As in the field ``dataset`` of its utterances."""

    @property
    def marks(self) -> str:
        """What a folder of this layout holds, for messages."""

    def matches(self, folder: Path) -> bool:
        """Whether ``folder`` is such a corpus."""

    def read(self, folder: Path) -> Iterator[Utterance]:
        """The utterances, in a fixed order; their fields are those of a manifest.

        Raises:
            EvaluationError: A list or a line of it is malformed.
        """


def utterance(root: Path, audio: Path, text: str, **fields: Any) -> Utterance:
    """An utterance with the fields that a manifest's line would have.

    Args:
        root: The corpus.
        audio: File under it.
        text: Reference.
        fields: ``lang``, ``speaker``, ``gender``, ``dataset``, ``split``.
    """
    line = {"audio": audio.relative_to(root).as_posix(), "text": text, **fields}
    return Utterance(audio, text, fields.get("lang"), line)


def read_lines(path: Path) -> list[str]:
    """Lines of a text file without their ends; empty ones left out.

    Raises:
        EvaluationError: It cannot be read.
    """
    try:
        return [line for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path}: cannot be read: {error}") from error


def columns(path: Path, number: int, line: str, expected: Sequence[str]) -> list[str]:
    """Tab-separated values of one line.

    Raises:
        EvaluationError: There are more or fewer than ``expected`` names.
    """
    values = line.rstrip("\r").split("\t")
    if len(values) != len(expected):
        raise EvaluationError(
            f"{path}, line {number}: {len(values)} columns, expected {len(expected)}", hint=", ".join(expected)
        )
    return values


def gender_of(word: str) -> str | None:
    """``F`` or ``M`` for the corpora's words for them; None for everything else."""
    first = word.strip().lower().partition("_")[0]
    return {"f": "F", "female": "F", "m": "M", "male": "M"}.get(first)
