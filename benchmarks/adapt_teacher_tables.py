r"""The tables of ``adapt_teacher.py``: words before and after learning, the teacher's, and what adopting would do.

    python benchmarks/adapt_teacher_tables.py benchmarks/results/adapt_teacher_whisper-tiny.en.csv

Speakers are what is sampled: intervals of 95 % draw speakers and then recordings. The setting is chosen on ``CHOOSING``
and reported on the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapt_tables import ACCENTED, LEFT_ALONE
from rows_file import read_rows

from myqasr_fx.evaluate import rate_interval
from myqasr_fx.evaluate.bootstrap import grouped_difference_interval

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


Pair = tuple[TaughtRow, TaughtRow]
"""A recording with the model as it came, and after it learned."""

MEASURES: Mapping[str, Callable[[TaughtRow], tuple[float, int]]] = {
    "nats of the teacher's text, a token": lambda row: (row.nats, row.positions),
    "words written differently from the teacher, a word": lambda row: (row.against, row.teacher_words),
}
"""Each a sum and what it is a rate of, which learning leaves as it is; less is better."""


def tables(rows: Sequence[TaughtRow]) -> str:
    """In Markdown: words, then measures."""
    return f"{words_table(rows)}\n\n{measures_table(rows)}"


def pairs_of(rows: Sequence[TaughtRow], setting: str) -> list[Pair]:
    """Recordings heard before and after."""
    before = {(row.speaker, row.half, row.audio): row for row in rows if row.setting == LEFT_ALONE}
    return [(before[row.speaker, row.half, row.audio], row) for row in rows if row.setting == setting]


def cells_of(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Those of one speaker and half, together."""
    cells: dict[tuple[str, int], list[Pair]] = {}
    for pair in pairs:
        cells.setdefault((pair[0].speaker, pair[0].half), []).append(pair)
    return list(cells.values())


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


def _change(pairs: Sequence[Pair]) -> str:
    speakers = dict.fromkeys(before.speaker for before, _ in pairs)
    grouped = [[pair for pair in pairs if pair[0].speaker == speaker] for speaker in speakers]
    changes = [[after.errors - before.errors for before, after in group] for group in grouped]
    around = grouped_difference_interval(changes, [[before.words for before, _ in group] for group in grouped])
    words = sum(before.words for before, _ in pairs)
    before, after = (100 * sum(pair[side].errors for pair in pairs) / words for side in (0, 1))
    teacher = 100 * sum(before.teacher_errors for before, _ in pairs) / words
    better, worse = (sum(sign * sum(change) < 0 for change in changes) for sign in (1, -1))
    interval = f"[{100 * around.low:+.1f}, {100 * around.high:+.1f}]"
    difference = f"{after - before:+.1f} {interval}"
    return f"{teacher:.1f} | {before:.1f} of {words:,} | {after:.1f} | {difference} | {better}, {worse}"


def measures_table(rows: Sequence[TaughtRow]) -> str:
    """How often a measure would have adopted what was learned as chosen, and how often rightly."""
    cells = [cell for cell in cells_of(pairs_of(rows, CHOSEN)) if cell[0][0].speaker not in CHOOSING]
    better, worse = (sum(sign * errors_added(cell) < 0 for cell in cells) for sign in (1, -1))
    lines = [
        f"Of {len(cells)} models {better} make fewer errors than before and {worse} more.",
        "",
        "| measure | adopts | no worse of them | worse of them | points, adopted | points, left out |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, measure in MEASURES.items():
        taken = [cell for cell in cells if improves(cell, measure)]
        left = [cell for cell in cells if cell not in taken]
        harmed = sum(errors_added(cell) > 0 for cell in taken)
        lines.append(
            f"| {name} | {len(taken)} | {len(taken) - harmed} | {harmed} | {_points(taken)} | {_points(left)} |"
        )
    return "\n".join(lines)


def errors_added(cell: Sequence[Pair]) -> int:
    """By learning."""
    return sum(after.errors - before.errors for before, after in cell)


def improves(cell: Sequence[Pair], measure: Callable[[TaughtRow], tuple[float, int]]) -> bool:
    """Whether the whole interval of the measure's change lies below zero, recordings resampled."""
    found = [(measure(before), measure(after)) for before, after in cell]
    return rate_interval([after[0] - before[0] for before, after in found], [b[1] for b, _ in found]).high < 0


def _points(cells: Sequence[Sequence[Pair]]) -> str:
    words = sum(before.words for cell in cells for before, _ in cell)
    return f"{100 * sum(map(errors_added, cells)) / words:+.1f}" if words else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path, help="file that adapt_teacher.py wrote")
    print(tables(read_rows(TaughtRow, parser.parse_args().rows)))


if __name__ == "__main__":
    main()
