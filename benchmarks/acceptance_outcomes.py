"""What a quantized model showed without labels, and what it lost with them: one row a model and side.

``NAME.csv`` is both the result and the memory of a run: a model whose two rows are there is not made again.
``NAME_utterances.csv`` holds the word errors of each labelled recording.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from myqasr_fx.bundle.verdict_record import AcceptanceRecord
from myqasr_fx.evaluate import difference_interval

DEV, TEST = "dev", "test"
SIDES = (DEV, TEST)
"""Speakers that bounds are chosen on, and others that they are scored on."""


@dataclass(frozen=True, slots=True, order=True)
class Variant:
    """One model to make.

    Args:
        model: Built-in name.
        recipe: As in :class:`~myqasr_fx.personalize.condition.Condition`.
        budget: The same.
        clips: Calibration clips, the first ones.
    """

    model: str
    recipe: str
    budget: str
    clips: int = 24


FULL = "full precision"
"""In the place of a recipe."""


@dataclass(frozen=True, slots=True)
class Errors:
    """One transcript of a labelled recording.

    Args:
        audio: Its name in the manifest.
        errors: Words substituted, left out and added.
        words: Of the reference.
        loop: 1 when the transcript repeats itself.
    """

    audio: str
    errors: int
    words: int
    loop: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """One model on one side. Rates are shares; ``loss`` is word error rate minus that of full precision.

    Args:
        variant: The model.
        side: ``dev`` or ``test``.
        bits: Mean bits a weight, scales not counted.
        agreement: Of the verdict's clips, as in :class:`~myqasr_fx.acceptance.AcceptanceRecord`; so are the next ones.
        kl: Nats a position.
        substitutions: A word of the full-precision transcripts.
        deletions: Likewise.
        insertions: Likewise.
        loops: Share of the clips.
        blanks: Likewise.
        heard: Words of the full-precision transcripts.
        loss: On the labelled recordings.
        loss_low: Lower end of its paired 95 % interval.
        loss_high: Upper end.
        words: Of the labelled recordings.
        runaways: Labelled recordings whose transcript repeats itself.
    """

    variant: Variant
    side: str
    bits: float
    agreement: float
    kl: float
    substitutions: float
    deletions: float
    insertions: float
    loops: float
    blanks: float
    heard: int
    loss: float
    loss_low: float
    loss_high: float
    words: int
    runaways: int

    @classmethod
    def of(
        cls, made: tuple[Variant, str, float], seen: AcceptanceRecord, got: Sequence[Errors], full: Sequence[Errors]
    ) -> Outcome:
        """From model, side and mean bits, the verdict's record, and the errors of both models."""
        totals = [row.words for row in full]
        change = sum(row.errors for row in got) - sum(row.errors for row in full)
        interval = difference_interval([row.errors for row in got], [row.errors for row in full], totals)
        rates = (seen.agreement, seen.kl, seen.substitutions, seen.deletions, seen.insertions)
        shares = (seen.loops / seen.clips, seen.blanks / seen.clips)
        loss = (round(x, 6) for x in (change / sum(totals), interval.low, interval.high))
        return cls(*made, *rates, *shares, seen.words, *loss, sum(totals), sum(row.loop for row in got))

    @property
    def changes(self) -> float:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def in_range(self) -> bool:
        """True for a loss of 0 to 6 points, where a verdict is needed."""
        return 0 <= self.loss <= 0.06


_VARIANT = tuple(f.name for f in fields(Variant))
_HEAD = (*_VARIANT, *(f.name for f in fields(Outcome) if f.name != "variant"))
_COUNTS = frozenset({"heard", "words", "runaways"})


def read_outcomes(path: Path) -> tuple[Outcome, ...]:
    """Rows of the models of which both sides are there; none when there is no file."""
    rows = [_outcome(row) for row in _rows(path)]
    sides = [(row.variant, row.side) for row in rows]
    return tuple(row for row in rows if all((row.variant, side) in sides for side in SIDES))


def read_errors(path: Path) -> dict[tuple[Variant, str], list[Errors]]:
    """Model and side to its transcripts, in the order of the file."""
    found: dict[tuple[Variant, str], list[Errors]] = {}
    for row in _rows(path):
        errors = Errors(row["audio"], *(int(row[name]) for name in ("errors", "words", "loop")))
        found.setdefault((_variant(row), row["side"]), []).append(errors)
    return found


def write_outcomes(path: Path, outcomes: Iterable[Outcome]) -> None:
    """All rows; the file is replaced whole."""
    _write(path, _HEAD, ((*astuple(o.variant), *(getattr(o, name) for name in _HEAD[4:])) for o in outcomes))


def write_errors(path: Path, errors: Mapping[tuple[Variant, str], Sequence[Errors]]) -> None:
    """All rows; the file is replaced whole."""
    head = (*_VARIANT, "side", *(f.name for f in fields(Errors)))
    _write(path, head, ((*astuple(key), side, *astuple(row)) for (key, side), rows in errors.items() for row in rows))


def _outcome(row: Mapping[str, str]) -> Outcome:
    kinds = {name: int if name in _COUNTS else float for name in _HEAD[5:]}
    return Outcome(_variant(row), row["side"], **{name: kind(row[name]) for name, kind in kinds.items()})


def _variant(row: Mapping[str, str]) -> Variant:
    return Variant(row["model"], row["recipe"], row["budget"], int(row["clips"]))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)


def _write(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with new.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
    new.replace(path)
