"""What ``personalize`` prints: the matrices, and the answer in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from myqasr_fx.personalize.matrix import Matrix
    from myqasr_fx.personalize.result import Result
    from myqasr_fx.personalize.verdict import Verdict


def personalize_view(result: Result, out: Path) -> RenderableType:
    """Every matrix, then what calibrating on oneself changed."""
    from myqasr_fx.personalize.result import method_name

    parts: list[RenderableType] = []
    for matrix in result.matrices:
        parts += [Text(f"{method_name(matrix.method)}: {result.metric}, %", "bold"), _table(matrix)]
    parts.append(Text("Does calibrating on me help?", "bold"))
    parts += [Text(sentence(verdict)) for verdict in result.verdicts]
    return Group(*parts, Text(f"raw rows, matrices and heat maps are in {out}"))


def _table(matrix: Matrix) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("calibrated on", no_wrap=True)
    for name in matrix.tests:
        table.add_column(name, justify="right", no_wrap=True)
    for row in matrix.calibrations:
        found = (matrix.scores.get((row, column)) for column in matrix.tests)
        cells = (
            "" if s is None else f"{100 * s.value:.1f} [{100 * s.interval.low:.1f}, {100 * s.interval.high:.1f}]"
            for s in found
        )
        table.add_row(row, *cells)
    return table


def sentence(verdict: Verdict) -> str:
    """One line: whether, by how much, with what certainty."""
    from myqasr_fx.personalize.result import method_name

    ways = verdict.methods
    where = method_name(ways[0]) if len(ways) == 1 else f"all {len(ways)} ways to quantize"
    low, high = 100 * verdict.interval.low, 100 * verdict.interval.high
    return (
        f"{where}, against {verdict.control}: {verdict.answer}. Error rate {100 * verdict.matched:.2f} % instead of "
        f"{100 * verdict.other:.2f} %, {100 * verdict.difference:+.2f} points [{low:+.2f}, {high:+.2f}]; "
        f"better in {verdict.better}, worse in {verdict.worse}, equal in {verdict.ties} cells, "
        f"sign test p = {verdict.p_value:.3g}"
    )
