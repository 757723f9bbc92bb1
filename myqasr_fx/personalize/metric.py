"""What a matrix counts: errors against texts, or how far a model is from full precision, which needs no texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeGuard

from myqasr_fx.personalize.ledger import Row

Metric = Literal["wer", "accuracy", "divergence", "agreement"]

Count = tuple[float, int]
"""What an utterance loses, and what that is counted against."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """How a metric is counted and written.

    Args:
        title: Of a table.
        loss: What the verdicts compare, which is better when lower.
        unit: Of both.
        change: Unit of a difference.
        factor: From the value to the unit.
        digits: Behind the point.
        count: Of one utterance.
        high_is_good: The value is one minus the loss.
    """

    title: str
    loss: str
    unit: str
    change: str
    factor: float
    digits: int
    count: Callable[[Row], Count]
    high_is_good: bool = False

    def text(self, value: float) -> str:
        """``value`` in the unit."""
        return f"{self.factor * value:.{self.digits}f}"

    def fine(self, value: float, sign: str = "") -> str:
        """The same with one more digit, as for values to compare."""
        return f"{self.factor * value:{sign}.{self.digits + 1}f}"


METRICS: Mapping[Metric, Meaning] = {
    "wer": Meaning("wer", "Error rate", "%", "points", 100, 1, lambda row: (row.errors, row.words)),
    "accuracy": Meaning("accuracy", "Error rate", "%", "points", 100, 1, lambda row: (int(row.errors > 0), 1), True),
    "divergence": Meaning("divergence", "Divergence", "nats", "nats", 1, 3, lambda row: (row.nats, row.positions)),
    "agreement": Meaning(
        "agreement", "Disagreement", "%", "points", 100, 1, lambda row: (row.positions - row.same, row.positions), True
    ),
}
"""Word error rate; share of utterances without an error, as for single words; Kullback-Leibler divergence from full
precision a position, and share of positions where both prefer the same token, along what full precision writes."""


def is_metric(name: str) -> TypeGuard[Metric]:
    """Whether there is such a metric."""
    return name in METRICS


def counted(rows: Sequence[Row], metric: Metric) -> tuple[Row, ...]:
    """The rows that the metric can be told of: those transcribed, or those compared with full precision."""
    if has_texts(metric):
        return tuple(rows) if any(row.words for row in rows) else ()
    return tuple(row for row in rows if row.positions)


def has_texts(metric: Metric) -> bool:
    """Whether texts judge."""
    return metric in ("wer", "accuracy")
