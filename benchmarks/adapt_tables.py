r"""The tables of ``adapt.py``: words before and after learning, and what would have told which of them is better.

    python benchmarks/adapt_tables.py benchmarks/results/adapt_whisper-tiny.en.csv

Speakers are what is sampled: intervals of 95 % draw speakers and then recordings. Rate and epochs follow a first trial
on 1407 and 2208; nothing was chosen by the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rows_file import read_rows

from myqasr_fx.evaluate import rate_interval
from myqasr_fx.evaluate.bootstrap import grouped_difference_interval

LEFT_ALONE = "as it came"
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

Pair = tuple[Row, Row]
"""A recording with the model as it came, and after it learned."""

MEASURES: Mapping[str, Callable[[Row], tuple[float, int]]] = {
    "entropy, nats a position": lambda row: (row.entropy, row.positions),
    "divergence on changed audio, nats a position": lambda row: (row.apart, row.positions),
    "words that turn on changed audio, a word": lambda row: (row.turned, row.written),
}
"""Each a sum and what it is a rate of; less is better."""


def tables(rows: Sequence[Row]) -> str:
    """In Markdown: words, then measures."""
    return f"{words_table(rows)}\n\n{measures_table(rows)}"


def words_table(rows: Sequence[Row]) -> str:
    """Errors before and after, for the speakers of each group."""
    lines = ["| setting | speakers | before, % | after, % | difference, points |", "| --- | --- | --- | --- | --- |"]
    for setting in settings_of(rows):
        for name, speakers in groups_of(rows):
            if pairs := [pair for pair in pairs_of(rows, setting) if pair[0].speaker in speakers]:
                lines.append(f"| {setting} | {name} | {_change(pairs)} |")
    return "\n".join(lines)


def groups_of(rows: Sequence[Row]) -> list[tuple[str, tuple[str, ...]]]:
    """Names of groups of speakers, and the speakers; of none that is not there."""
    present = {row.speaker for row in rows}
    known = [("with an accent", ACCENTED), ("without", PLAIN), ("digits", DIGITS)]
    return [(name, speakers) for name, speakers in known if present & set(speakers)]


def settings_of(rows: Sequence[Row]) -> list[str]:
    """Those in which a model learned, in their order."""
    return [setting for setting in dict.fromkeys(row.setting for row in rows) if setting != LEFT_ALONE]


def pairs_of(rows: Sequence[Row], setting: str) -> list[Pair]:
    """Recordings heard before and after."""
    before = {(row.speaker, row.half, row.audio): row for row in rows if row.setting == LEFT_ALONE}
    return [(before[row.speaker, row.half, row.audio], row) for row in rows if row.setting == setting]


def cells_of(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Those of one speaker and half, together."""
    cells: dict[tuple[str, int], list[Pair]] = {}
    for pair in pairs:
        cells.setdefault((pair[0].speaker, pair[0].half), []).append(pair)
    return list(cells.values())


def _change(pairs: Sequence[Pair]) -> str:
    speakers = dict.fromkeys(before.speaker for before, _ in pairs)
    grouped = [[(a.errors - b.errors, b.words) for b, a in pairs if b.speaker == speaker] for speaker in speakers]
    around = grouped_difference_interval([[c for c, _ in g] for g in grouped], [[w for _, w in g] for g in grouped])
    words = sum(before.words for before, _ in pairs)
    before, after = (100 * sum(pair[side].errors for pair in pairs) / words for side in (0, 1))
    interval = f"[{100 * around.low:+.1f}, {100 * around.high:+.1f}]"
    return f"{before:.1f} of {words:,} | {after:.1f} | {after - before:+.1f} {interval}"


def measures_table(rows: Sequence[Row]) -> str:
    """How often a measure would have adopted what was learned, and how often rightly, over all settings and halves."""
    cells = [cell for setting in settings_of(rows) for cell in cells_of(pairs_of(rows, setting))]
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


def improves(cell: Sequence[Pair], measure: Callable[[Row], tuple[float, int]]) -> bool:
    """Whether the whole interval of the measure's change lies below zero, recordings resampled."""
    found = [(measure(before), measure(after)) for before, after in cell]
    totals = [before[1] for before, _ in found]
    changes = [after[0] * before[1] / max(1, after[1]) - before[0] for before, after in found]
    return rate_interval(changes, totals).high < 0


def _points(cells: Sequence[Sequence[Pair]]) -> str:
    words = sum(before.words for cell in cells for before, _ in cell)
    return f"{100 * sum(map(errors_added, cells)) / words:+.1f}" if words else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path, help="file that adapt.py wrote")
    print(tables(read_rows(Row, parser.parse_args().rows)))


if __name__ == "__main__":
    main()
