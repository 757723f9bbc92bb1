r"""The tables of ``adapt_decided.py``: word errors of all models, of those adopted and of those left out.

    python benchmarks/adapt_decided_tables.py benchmarks/results/adapt_decided_whisper-base.csv

Setting and measure were fixed by the rows of ``adapt.py`` before the speakers were heard that those did not hear.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adapt_pairs import change_of
from rows_file import read_rows

from myqasr_fx.evaluate import rate_interval

PARTS = 3
OTHERS = (1, 2)
"""Roles of the thirds that taught nothing: each decides once, where words of the other one are counted."""

LANGUAGES = ("kerstin", "nathalie", "CarloFlora", "IvrvoiceRU", "JuneWallack", "AllisonSmith_es")
GROUPS = {
    "with an accent": ("1407", "2327", "2208", "2438", "2236", "2740"),
    "other languages": LANGUAGES,
    "without": ("4406", "8226"),
}
"""The measure was found on those with an accent; the others were not heard before."""

CASES = {
    "whisper-base": (*LANGUAGES, *GROUPS["without"], *GROUPS["with an accent"]),
    "whisper-tiny.en": (*GROUPS["without"], *GROUPS["with an accent"]),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A recording that a model did not learn from.

    Args:
        dataset: Of the recording.
        language: ISO 639-1.
        speaker: Whose it is.
        part: Which third of the speaker's recordings the model learned from.
        role: Which of the other thirds this one is of.
        audio: File name.
        words: Of the reference.
        errors: Of the model as it came.
        errors_after: Of the one that learned.
        positions: Tokens of the transcript and the end.
        positions_after: The same of the one that learned.
        entropy: Of the distributions along the transcript, summed, nats.
        entropy_after: The same.
        apart: Their divergence from those on the recording changed, summed, mean of the changes.
        apart_after: The same.
    """

    dataset: str
    language: str
    speaker: str
    part: int
    role: int
    audio: str
    words: int
    errors: int
    errors_after: int
    positions: int
    positions_after: int
    entropy: float
    entropy_after: float
    apart: float
    apart_after: float


@dataclass(frozen=True, slots=True)
class Trial:
    """A model that learned, one third that decides, and one on which words are counted."""

    decide: tuple[Row, ...]
    count: tuple[Row, ...]

    @property
    def speaker(self) -> str:
        """Whose recordings they are."""
        return self.count[0].speaker

    @property
    def adopted(self) -> bool:
        """Whether the whole interval of the change of divergence lies below zero, as ``--adapt self`` decides."""
        changes = [row.apart_after * row.positions / row.positions_after - row.apart for row in self.decide]
        return rate_interval(changes, [row.positions for row in self.decide]).high < 0

    @property
    def added(self) -> int:
        """Word errors by learning."""
        return sum(row.errors_after - row.errors for row in self.count)


def trials_of(rows: Sequence[Row]) -> list[Trial]:
    """Every model twice: each of the other thirds decides once."""
    found = []
    for speaker, part in dict.fromkeys((row.speaker, row.part) for row in rows):
        own = [row for row in rows if (row.speaker, row.part) == (speaker, part)]
        thirds = [tuple(row for row in own if row.role == role) for role in OTHERS]
        found += [Trial(*thirds), Trial(*reversed(thirds))]
    return found


def tables(rows: Sequence[Row]) -> str:
    """In Markdown: words of each group, for all models, those adopted and those left out."""
    lines = [
        "| speakers | models | | before, % | after, % | difference, points | better, worse |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    trials = trials_of(rows)
    for name, speakers in (*GROUPS.items(), ("all", tuple({row.speaker for row in rows}))):
        own = [trial for trial in trials if trial.speaker in speakers]
        kinds = {
            "all": own,
            "adopted": [trial for trial in own if trial.adopted],
            "left out": [trial for trial in own if not trial.adopted],
        }
        lines += [f"| {name} | {len(kind)} | {which} | {_change(kind)} |" for which, kind in kinds.items() if kind]
    return "\n".join(lines)


def _change(trials: Sequence[Trial]) -> str:
    pairs = [(row, replace(row, errors=row.errors_after)) for trial in trials for row in trial.count]
    better, worse = (sum(sign * trial.added < 0 for trial in trials) for sign in (1, -1))
    return f"{change_of(pairs)} | {better}, {worse}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path, help="file that adapt_decided.py wrote")
    print(tables(read_rows(Row, parser.parse_args().rows)))


if __name__ == "__main__":
    main()
