r"""The tables of ``adapt.py``: words before and after learning, and what would have told which of them is better.

    python benchmarks/adapt_tables.py benchmarks/results/adapt_whisper-tiny.en.csv

Rate and epochs follow a first trial on 1407 and 2208; nothing was chosen by the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapt_pairs import LEFT_ALONE, Measure, adoption_table, cells_of, change_of, pairs_of
from rows_file import read_rows

ACCENTED = ("1407", "2327", "2208", "2438", "2236", "2740")
PLAIN = ("4088", "5652", "kathleen", "AllisonSmith")
DIGITS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


@dataclass(frozen=True, slots=True)
class Row:
    """A recording that a model did not learn from.

    Args:
        setting: How the model learned, or ``LEFT_ALONE``.
        dataset: Of the recording.
        speaker: Whose it is.
        half: Which half of the speaker's recordings the model learned from; this one is of the other.
        audio: File name.
        errors: Word errors of the transcript.
        words: Of the reference.
        positions: Tokens of the transcript and the end, or frames.
        entropy: Of the distributions along the transcript, summed over the positions, nats.
        apart: Their divergence from those on the changed recording, summed too.
        written: Words of the transcript.
        turned: Words written differently for the changed recording.
    """

    setting: str
    dataset: str
    speaker: str
    half: int
    audio: str
    errors: int
    words: int
    positions: int
    entropy: float
    apart: float
    written: int
    turned: int


@dataclass(frozen=True, slots=True)
class Case:
    """What is tried on some speakers: every setting, learning from each of the halves."""

    speakers: tuple[str, ...]
    halves: tuple[int, ...]
    settings: tuple[str, ...]


WHISPER_CASES = (
    Case(ACCENTED, (0,), (LEFT_ALONE, "entropy")),
    Case(ACCENTED, (0,), ("entropy, changed audio",)),
    Case(ACCENTED, (1,), (LEFT_ALONE, "entropy", "entropy, changed audio")),
    Case(PLAIN, (0,), (LEFT_ALONE, "entropy", "entropy, changed audio")),
    Case(ACCENTED, (0, 1), ("consistency",)),
)
CTC_CASES = (Case(DIGITS, (0,), (LEFT_ALONE, "entropy", "entropy, changed audio")),)

MEASURES: Mapping[str, Measure[Row]] = {
    "entropy, nats a position": lambda row: (row.entropy, row.positions),
    "divergence on changed audio, nats a position": lambda row: (row.apart, row.positions),
    "words that turn on changed audio, a word": lambda row: (row.turned, row.written),
}


def tables(rows: Sequence[Row]) -> str:
    """In Markdown: words, then measures."""
    return f"{words_table(rows)}\n\n{measures_table(rows)}"


def words_table(rows: Sequence[Row]) -> str:
    """Errors before and after, for the speakers of each group."""
    lines = ["| setting | speakers | before, % | after, % | difference, points |", "| --- | --- | --- | --- | --- |"]
    for setting in settings_of(rows):
        for name, speakers in groups_of(rows):
            if pairs := [pair for pair in pairs_of(rows, setting) if pair[0].speaker in speakers]:
                lines.append(f"| {setting} | {name} | {change_of(pairs)} |")
    return "\n".join(lines)


def groups_of(rows: Sequence[Row]) -> list[tuple[str, tuple[str, ...]]]:
    """Names of groups of speakers, and the speakers; of none that is not there."""
    present = {row.speaker for row in rows}
    known = [("with an accent", ACCENTED), ("without", PLAIN), ("digits", DIGITS)]
    return [(name, speakers) for name, speakers in known if present & set(speakers)]


def settings_of(rows: Sequence[Row]) -> list[str]:
    """Those in which a model learned, in their order."""
    return [setting for setting in dict.fromkeys(row.setting for row in rows) if setting != LEFT_ALONE]


def measures_table(rows: Sequence[Row]) -> str:
    """What measures would have adopted, over all settings and halves."""
    return adoption_table([c for setting in settings_of(rows) for c in cells_of(pairs_of(rows, setting))], MEASURES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path, help="file that adapt.py wrote")
    print(tables(read_rows(Row, parser.parse_args().rows)))


if __name__ == "__main__":
    main()
