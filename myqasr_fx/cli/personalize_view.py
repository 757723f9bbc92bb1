"""What ``personalize`` prints: the matrices, and the answer in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myqasr_fx.cli.visible import shown

if TYPE_CHECKING:
    from myqasr_fx.personalize.matrix import Matrix
    from myqasr_fx.personalize.metric import Meaning
    from myqasr_fx.personalize.result import Result
    from myqasr_fx.personalize.verdict import Verdict


def personalize_view(result: Result, out: Path) -> RenderableType:
    """Every matrix, then what calibrating on oneself changed."""
    from myqasr_fx.personalize.metric import METRICS
    from myqasr_fx.personalize.result import method_name

    meaning = METRICS[result.metric]
    parts: list[RenderableType] = []
    for matrix in result.matrices:
        parts += [
            shown(f"{method_name(matrix.method)}: {meaning.title}, {meaning.unit}", "bold"),
            _table(matrix, meaning),
        ]
    parts.append(Text("Does calibrating on me help?", "bold"))
    parts += [shown(sentence(verdict)) for verdict in result.verdicts]
    if result.beside:
        parts.append(Text("By the distance from full precision, which needs no texts:", "bold"))
        parts += [shown(sentence(verdict)) for verdict in result.beside.verdicts]
    return Group(*parts, shown(f"raw rows, matrices and heat maps are in {out}"))


def _table(matrix: Matrix, meaning: Meaning) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("calibrated on", no_wrap=True)
    for name in matrix.tests:
        table.add_column(shown(name), justify="right", no_wrap=True)
    for row in matrix.calibrations:
        found = (matrix.scores.get((row, column)) for column in matrix.tests)
        cells = (
            ""
            if s is None
            else f"{meaning.text(s.value)} [{meaning.text(s.interval.low)}, {meaning.text(s.interval.high)}]"
            for s in found
        )
        table.add_row(*map(shown, (row, *cells)))
    return table


def sentence(verdict: Verdict) -> str:
    """One line: whether, by how much, with what certainty."""
    from myqasr_fx.personalize.metric import METRICS
    from myqasr_fx.personalize.result import method_name

    ways, meaning = verdict.methods, METRICS[verdict.metric]
    where = method_name(ways[0]) if len(ways) == 1 else f"all {len(ways)} ways to quantize"
    low, high = (meaning.fine(end, "+") for end in (verdict.interval.low, verdict.interval.high))
    return (
        f"{where}, against {verdict.control}: {verdict.answer}. {meaning.loss} {meaning.fine(verdict.matched)} "
        f"{meaning.unit} instead of {meaning.fine(verdict.other)} {meaning.unit}, "
        f"{meaning.fine(verdict.difference, '+')} {meaning.change} [{low}, {high}]; "
        f"better in {verdict.better}, worse in {verdict.worse}, equal in {verdict.ties} groups, "
        f"sign test p = {verdict.p_value:.3g}; {_power(verdict, meaning)}"
    )


def _power(verdict: Verdict, meaning: Meaning) -> str:
    if verdict.detectable is None:
        return "so few groups show no gain of any size: give at least five that differ"
    return f"a gain of {meaning.fine(verdict.detectable)} {meaning.change} would have been shown four times in five"
