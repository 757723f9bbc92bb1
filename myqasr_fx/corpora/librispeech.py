"""LibriSpeech: ``SPEAKERS.TXT`` and ``SUBSET/SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt`` beside the FLAC files.

Source: V. Panayotov et al., "Librispeech: an ASR corpus based on public domain audio books", 2015; its README.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from myqasr_fx.corpora.layout import gender_of, read_lines, utterance
from myqasr_fx.errors import EvaluationError
from myqasr_fx.evaluate.manifest import Utterance

SPEAKERS = "SPEAKERS.TXT"


@dataclass(frozen=True, slots=True)
class LibriSpeech:
    """The folder ``LibriSpeech`` that the archives unpack to; ``split`` is the subset, such as ``test-other``."""

    name: str = "librispeech"
    marks: str = SPEAKERS

    def matches(self, folder: Path) -> bool:
        """See :class:`~myqasr_fx.corpora.layout.CorpusLayout`."""
        return (folder / SPEAKERS).is_file()

    def read(self, folder: Path) -> Iterator[Utterance]:
        """See :class:`~myqasr_fx.corpora.layout.CorpusLayout`."""
        genders = _genders(folder / SPEAKERS)
        for transcripts in sorted(folder.glob("*/*/*/*.trans.txt")):
            subset, speaker = transcripts.relative_to(folder).parts[:2]
            for number, line in enumerate(read_lines(transcripts), start=1):
                name, _, text = line.strip().partition(" ")
                if not text:
                    raise EvaluationError(f"{transcripts}, line {number}: expected an utterance's name and its text")
                who = {"speaker": speaker, "gender": genders.get(speaker)}
                audio = transcripts.parent / f"{name}.flac"
                yield utterance(folder, audio, text, lang="en", dataset=self.name, split=subset, **who)


def _genders(path: Path) -> dict[str, str | None]:
    """Speaker to gender; lines are ``ID | SEX | SUBSET | MINUTES | NAME`` and comments after a semicolon."""
    found = {}
    for number, line in enumerate(read_lines(path), start=1):
        if line.startswith(";"):
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) < 2:
            raise EvaluationError(f"{path}, line {number}: expected ID | SEX | SUBSET | MINUTES | NAME")
        found[fields[0]] = gender_of(fields[1])
    return found
