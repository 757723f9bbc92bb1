r"""The tables of ``adapt_teacher.py``: words before and after learning, the teacher's, and what adopting would do.

    python benchmarks/adapt_teacher_tables.py benchmarks/results/adapt_teacher_whisper-tiny.en.csv

The setting is chosen on ``CHOOSING`` and reported on the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapt_pairs import LEFT_ALONE, Measure, adoption_table, cells_of, change_of, pairs_of
from adapt_tables import ACCENTED
from rows_file import read_rows

CHOOSING = ("1407", "2208")
KEPT = tuple(speaker for speaker in ACCENTED if speaker not in CHOOSING)
TRIED = (
    "norms and biases",
    "norms and biases, changed audio",
    "norms and biases, changed audio, rate 1e-4",
    "all weights, rate 1e-5",
    "all weights, rate 3e-5",
)
CHOSEN = "norms and biases, changed audio, rate 1e-4"
GROUPS = (("chosen on", CHOOSING), ("others", KEPT))

PLAN = (
    *((speaker, 0, setting) for speaker in CHOOSING for setting in (LEFT_ALONE, *TRIED)),
    *((speaker, half, setting) for half in (0, 1) for speaker in KEPT for setting in (LEFT_ALONE, TRIED[0], CHOSEN)),
)
"""Speaker, half that is learned, setting."""


@dataclass(frozen=True, slots=True)
class TaughtRow:
    """A recording that a model did not learn from.

    Args:
        setting: How the model learned, or ``LEFT_ALONE``.
        dataset: Of the recording.
        speaker: Whose it is.
        half: Which half of the speaker's recordings the model learned from; this one is of the other.
        audio: File name.
        learned: Recordings that the model learned from.
        errors: Word errors of the transcript.
        words: Of the reference.
        teacher_errors: Word errors of the teacher's text.
        nats: Of the teacher's text, summed.
        positions: Tokens of the teacher's text and the end.
        against: Words written differently from the teacher.
        teacher_words: Of the teacher's text.
    """

    setting: str
    dataset: str
    speaker: str
    half: int
    audio: str
    learned: int
    errors: int
    words: int
    teacher_errors: int
    nats: float
    positions: int
    against: int
    teacher_words: int


MEASURES: Mapping[str, Measure[TaughtRow]] = {
    "nats of the teacher's text, a token": lambda row: (row.nats, row.positions),
    "words written differently from the teacher, a word": lambda row: (row.against, row.teacher_words),
}


def tables(rows: Sequence[TaughtRow]) -> str:
    """In Markdown: words, then measures."""
    return f"{words_table(rows)}\n\n{measures_table(rows)}"


def words_table(rows: Sequence[TaughtRow]) -> str:
    """Errors before and after, for the speakers of each group."""
    lines = [
        "| learns | speakers | teacher, % | before, % | after, % | difference, points | speakers better, worse |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for setting in TRIED:
        for name, speakers in GROUPS:
            if pairs := [pair for pair in pairs_of(rows, setting) if pair[0].speaker in speakers]:
                lines.append(f"| {setting} | {name} | {_change(pairs)} |")
    return "\n".join(lines)


def _change(pairs: Sequence[tuple[TaughtRow, TaughtRow]]) -> str:
    found = change_of(pairs)
    teacher = 100 * sum(before.teacher_errors for before, _ in pairs) / found.words
    return f"{teacher:.1f} | {found} | {found.better}, {found.worse}"


def measures_table(rows: Sequence[TaughtRow]) -> str:
    """What measures would have adopted in the chosen setting, of speakers that it was not chosen on."""
    cells = cells_of(pairs_of(rows, CHOSEN))
    return adoption_table([cell for cell in cells if cell[0][0].speaker not in CHOOSING], MEASURES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path, help="file that adapt_teacher.py wrote")
    print(tables(read_rows(TaughtRow, parser.parse_args().rows)))


if __name__ == "__main__":
    main()
