"""The raw result: one CSV row an utterance, appended cell by cell, so that an interrupted run goes on where it was."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from myqasr_fx.errors import EvaluationError
from myqasr_fx.personalize.table import append_to_table, read_table, write_table

FULL = "full precision"
"""In the place of a recipe."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One entry of a matrix.

    Args:
        recipe: As in :class:`~myqasr_fx.personalize.condition.Condition`, or ``FULL``.
        budget: The same.
        clips: Number of calibration clips.
        seed: Of the draw of calibration clips.
        calibration: Name of a group, or of a control in :mod:`myqasr_fx.personalize.controls`.
        test: Name of the group that is scored.
    """

    recipe: str
    budget: str
    clips: int
    seed: int
    calibration: str
    test: str


@dataclass(frozen=True, slots=True)
class Row:
    """One utterance in a cell.

    Args:
        cell: Where it belongs.
        audio: As in the manifest.
        errors: Words substituted, left out and added.
        words: Words of the reference; 0 where nothing was transcribed.
        positions: Tokens that full precision writes and their end, or frames of a CTC model; 0 where nobody compared.
        nats: Kullback-Leibler divergence from full precision, summed over them.
        same: At how many both prefer the same token.
    """

    cell: Cell
    audio: str
    errors: int
    words: int
    positions: int = 0
    nats: float = 0.0
    same: int = 0

    def __post_init__(self) -> None:
        counts = (self.errors, self.words, self.positions, self.same)
        if not all(0 <= count < _MOST for count in counts) or not math.isfinite(self.nats):
            raise EvaluationError(f"{self.audio}: counts {counts} and {self.nats} nats: expected numbers of at least 0")


_MOST = 1 << 40
"""More than anybody counts."""

_KEY = (*(f.name for f in fields(Cell)), "audio")
_TEXTS = ("errors", "words")
_HEAD = (*_KEY, *_TEXTS, "positions", "nats", "same")
_HEADS = (_HEAD, (*_KEY, *_TEXTS))
"""Of a ledger, and of one in which nobody compared with full precision."""


def full_cell(test: str) -> Cell:
    """The cell of the model that is not quantized."""
    return Cell(FULL, "", 0, 0, "", test)


def read_rows(path: Path) -> tuple[Row, ...]:
    """Rows of a ledger, without a last line that was cut off; none when there is no file.

    Raises:
        EvaluationError: It is no ledger.
    """
    lines = read_table(path)
    if lines and tuple(lines[0]) not in _HEADS:
        raise EvaluationError(f"{path}: its columns are {', '.join(lines[0])}, expected {', '.join(_HEAD)}")
    try:
        return tuple(_row(line) for line in lines[1:])
    except (ValueError, EvaluationError) as error:
        raise EvaluationError(f"{path}: a damaged line: {error}") from error


def _row(line: Sequence[str]) -> Row:
    recipe, budget, clips, seed, calibration, test, audio, errors, words, *compared = line
    cell = Cell(recipe, budget, int(clips), int(seed), calibration, test)
    positions, nats, same = compared or ("0", "0", "0")
    return Row(cell, audio, int(errors), int(words), int(positions), float(nats), int(same))


@dataclass(frozen=True, slots=True)
class Ledger:
    """A file of rows.

    Args:
        path: The file.
    """

    path: Path

    def resume(self, sizes: Mapping[str, int]) -> frozenset[Cell]:
        """The cells that are complete; rows of others are dropped from the file.

        Args:
            sizes: Group to the number of its test utterances.

        Raises:
            OutputError: The file cannot be written.
            EvaluationError: It is no ledger.
        """
        rows = read_rows(self.path)
        counts = Counter(row.cell for row in rows)
        done = frozenset(cell for cell, count in counts.items() if count == sizes.get(cell.test))
        write_table(self.path, [list(_HEAD), *(_line(row) for row in rows if row.cell in done)])
        return done

    def append(self, rows: Iterable[Row]) -> None:
        """Adds the rows of one cell.

        Raises:
            OutputError: The file cannot be written.
        """
        append_to_table(self.path, _HEAD, [_line(row) for row in rows])


def _line(row: Row) -> list[object]:
    return [*astuple(row.cell), row.audio, row.errors, row.words, row.positions, f"{row.nats:.5g}", row.same]
