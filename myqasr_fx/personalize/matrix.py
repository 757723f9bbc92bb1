"""Rows to matrices: what was calibrated on whom, tested on whom, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from myqasr_fx.evaluate.bootstrap import Interval, rate_interval
from myqasr_fx.personalize.controls import NOISE, OTHERS
from myqasr_fx.personalize.ledger import FULL, Row
from myqasr_fx.personalize.metric import METRICS, Metric

Method = tuple[str, str, int]
"""Recipe, budget and number of calibration clips."""


@dataclass(frozen=True, slots=True)
class Score:
    """A rate and its 95 % interval, utterances resampled.

    Args:
        value: Of the metric.
        interval: Of ``value``.
        utterances: Scored, each once a seed.
    """

    value: float
    interval: Interval
    utterances: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """Scores of one way to quantize, all seeds pooled.

    Args:
        method: The way.
        calibrations: Row names: full precision, controls, groups.
        tests: Column names.
        scores: Row and column to score; cells that were not run are missing.
    """

    method: Method
    calibrations: tuple[str, ...]
    tests: tuple[str, ...]
    scores: Mapping[tuple[str, str], Score]


def method_of(row: Row) -> Method:
    """The way a row's model was quantized."""
    return row.cell.recipe, row.cell.budget, row.cell.clips


def methods(rows: Iterable[Row]) -> tuple[Method, ...]:
    """All ways to quantize, in order of appearance."""
    return tuple(dict.fromkeys(method_of(row) for row in rows if row.cell.recipe != FULL))


def make_matrix(rows: Sequence[Row], method: Method, metric: Metric) -> Matrix:
    """The matrix of ``method``, with full precision as its first row."""
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.cell.recipe == FULL or method_of(row) == method:
            cells.setdefault((row.cell.calibration or FULL, row.cell.test), []).append(row)
    tests = tuple(dict.fromkeys(test for _, test in cells))
    present = {calibration for calibration, _ in cells}
    calibrations = tuple(name for name in (FULL, NOISE, OTHERS, *tests) if name in present)
    scores = {place: score(found, metric) for place, found in cells.items()}
    return Matrix(method, calibrations, tests, scores)


def score(rows: Sequence[Row], metric: Metric) -> Score:
    """Pooled score; the seeds of one utterance are resampled together, since they are no independent samples."""
    interval = rate_interval(*_pooled(rows, metric))
    if METRICS[metric].high_is_good:
        interval = Interval(1 - interval.high, 1 - interval.low)
    return Score(pooled_value(rows, metric), interval, len(rows))


def pooled_value(rows: Sequence[Row], metric: Metric) -> float:
    """The value of :func:`score` alone, at once."""
    errors, totals = _pooled(rows, metric)
    rate = sum(errors) / max(sum(totals), 1)
    return 1 - rate if METRICS[metric].high_is_good else rate


def _pooled(rows: Sequence[Row], metric: Metric) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Errors and reference words of every utterance."""
    pooled: dict[tuple[str, str], tuple[float, int]] = {}
    for row in rows:
        errors, total = METRICS[metric].count(row)
        before = pooled.get((row.cell.test, row.audio), (0.0, 0))
        pooled[row.cell.test, row.audio] = before[0] + errors, before[1] + total
    errors_of, totals = zip(*pooled.values(), strict=True)
    return errors_of, totals
