"""The committed raw rows, and what their experiment is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments import EXPERIMENTS

from myqasr_fx.personalize.ledger import Row, read_rows
from myqasr_fx.personalize.metric import Metric

HERE = Path(__file__).parent
LIMITED = "the errors of a recording at most its words"


def kind_of(name: str) -> str:
    """Of the experiment behind a result."""
    return EXPERIMENTS[name.removesuffix("-quick")].kind


def rows_of(name: str) -> tuple[Row, ...]:
    """The committed raw rows."""
    return read_rows(HERE / "results" / name / "utterances.csv")


def metric_of(name: str) -> Metric:
    """What the experiment behind a result is judged by."""
    return EXPERIMENTS[name.removesuffix("-quick")].metric


def axis_of(metric: Metric) -> str:
    """What a plot shows."""
    return "Word error rate, %" if metric == "wer" else "Divergence from full precision, nats a token"


def without_loops(rows: Sequence[Row]) -> list[Row]:
    """The rows, none with more errors than words: a text that repeats itself has as many as the longest text allows."""
    return [replace(row, errors=min(row.errors, row.words)) for row in rows]
