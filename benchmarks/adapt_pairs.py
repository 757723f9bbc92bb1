"""Recordings before and after a model learned: the change of words, and what a measure without labels would adopt.

Speakers are what is sampled: intervals of 95 % draw speakers and then recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from myqasr_fx.evaluate import rate_interval
from myqasr_fx.evaluate.bootstrap import grouped_difference_interval

LEFT_ALONE = "as it came"


class Counted(Protocol):
    """A recording as one model writes it."""

    @property
    def speaker(self) -> str:
        """Whose it is, or from whom the model learned: who is sampled."""

    @property
    def errors(self) -> int:
        """Word errors of the transcript."""

    @property
    def words(self) -> int:
        """Of the reference."""


class Heard(Counted, Protocol):
    """A recording that a model did not learn from, as a row of a file tells it."""

    @property
    def setting(self) -> str:
        """How the model learned, or ``LEFT_ALONE``."""

    @property
    def half(self) -> int:
        """Which half of the speaker's recordings the model learned from."""

    @property
    def audio(self) -> str:
        """File name."""


C = TypeVar("C", bound=Counted)
R = TypeVar("R", bound=Heard)

Measure = Callable[[R], tuple[float, int]]
"""A sum and what it is a rate of; less is better."""


@dataclass(frozen=True, slots=True)
class Change:
    """Of word errors: per cent before and after, points between them with their interval, and speakers either way."""

    before: float
    after: float
    words: int
    low: float
    high: float
    better: int
    worse: int

    @property
    def difference(self) -> str:
        """With its interval."""
        return f"{self.after - self.before:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"

    def __str__(self) -> str:
        return f"{self.before:.1f} of {self.words:,} | {self.after:.1f} | {self.difference}"


def pairs_of(rows: Sequence[R], setting: str) -> list[tuple[R, R]]:
    """Recordings heard before and after."""
    before = {(row.speaker, row.half, row.audio): row for row in rows if row.setting == LEFT_ALONE}
    return [(before[row.speaker, row.half, row.audio], row) for row in rows if row.setting == setting]


def cells_of(pairs: Sequence[tuple[R, R]]) -> list[list[tuple[R, R]]]:
    """Those of one speaker and half, together."""
    cells: dict[tuple[str, int], list[tuple[R, R]]] = {}
    for pair in pairs:
        cells.setdefault((pair[0].speaker, pair[0].half), []).append(pair)
    return list(cells.values())


def change_of(pairs: Sequence[tuple[C, C]]) -> Change:
    """Over all of them."""
    speakers = dict.fromkeys(before.speaker for before, _ in pairs)
    grouped = [[pair for pair in pairs if pair[0].speaker == speaker] for speaker in speakers]
    changes = [[after.errors - before.errors for before, after in group] for group in grouped]
    around = grouped_difference_interval(changes, [[before.words for before, _ in group] for group in grouped])
    words = sum(before.words for before, _ in pairs)
    before, after = (100 * sum(pair[side].errors for pair in pairs) / words for side in (0, 1))
    better, worse = (sum(sign * sum(change) < 0 for change in changes) for sign in (1, -1))
    return Change(before, after, words, 100 * around.low, 100 * around.high, better, worse)


def adoption_table(cells: Sequence[Sequence[tuple[R, R]]], measures: Mapping[str, Measure[R]]) -> str:
    """In Markdown: how often each measure would have adopted what was learned, and how often rightly."""
    better, worse = (sum(sign * errors_added(cell) < 0 for cell in cells) for sign in (1, -1))
    lines = [
        f"Of {len(cells)} models {better} make fewer errors than before and {worse} more.",
        "",
        "| measure | adopts | no worse of them | worse of them | points, adopted | points, left out |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, measure in measures.items():
        taken = [cell for cell in cells if improves(cell, measure)]
        left = [cell for cell in cells if cell not in taken]
        harmed = sum(errors_added(cell) > 0 for cell in taken)
        lines.append(
            f"| {name} | {len(taken)} | {len(taken) - harmed} | {harmed} | {_points(taken)} | {_points(left)} |"
        )
    return "\n".join(lines)


def errors_added(cell: Sequence[tuple[R, R]]) -> int:
    """By learning."""
    return sum(after.errors - before.errors for before, after in cell)


def improves(cell: Sequence[tuple[R, R]], measure: Measure[R]) -> bool:
    """Whether the whole interval of the measure's change lies below zero, recordings resampled."""
    found = [(measure(before), measure(after)) for before, after in cell]
    totals = [before[1] for before, _ in found]
    changes = [after[0] * before[1] / max(1, after[1]) - before[0] for before, after in found]
    return rate_interval(changes, totals).high < 0


def _points(cells: Sequence[Sequence[tuple[R, R]]]) -> str:
    words = sum(before.words for cell in cells for before, _ in cell)
    return f"{100 * sum(map(errors_added, cells)) / words:+.1f}" if words else ""
