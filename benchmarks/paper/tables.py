r"""Makes the tables of ``README.md`` and the plots beside the raw rows, without any model.

    python benchmarks/paper/tables.py            # writes
    python benchmarks/paper/tables.py --check    # exit code 1 when the README is not what the raw rows say

A block of the README between ``<!-- tables NAME -->`` and ``<!-- end -->`` belongs to ``results/NAME/utterances.csv``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments import EXPERIMENTS

from myqasr_fx.personalize.draw import OTHERS
from myqasr_fx.personalize.ledger import FULL, Row, read_rows
from myqasr_fx.personalize.matrix import Matrix, Method, method_of, methods, score
from myqasr_fx.personalize.result import Result, heat_map_file, method_name
from myqasr_fx.personalize.schemes import read_schemes, spread
from myqasr_fx.personalize.verdict import Verdict, judge

HERE = Path(__file__).parent
README = HERE / "README.md"
BLOCK = re.compile(r"(<!-- tables (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
MISSING = "Not run yet: there are no raw rows.\n"
POOLED = "pooled"
"""Name of the block over all experiments with controls."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    old = README.read_text(encoding="utf-8")
    new = BLOCK.sub(lambda match: f"{match[1]}{block(match[2])}{match[3]}", old)
    if options.check:
        sys.exit(f"{README}: not what the raw rows say; run {Path(__file__).name}" if new != old else 0)
    README.write_text(new, encoding="utf-8")
    for name in (found for _, found, _ in BLOCK.findall(new)):
        if name != POOLED and kind_of(name) != "matrix" and (rows := rows_of(name)):
            plot(name, rows)


def kind_of(name: str) -> str:
    """Of the experiment behind a result."""
    return EXPERIMENTS[name.removesuffix("-quick")].kind


def rows_of(name: str) -> tuple[Row, ...]:
    """The committed raw rows."""
    return read_rows(HERE / "results" / name / "utterances.csv")


def block(name: str) -> str:
    """The tables of one result as Markdown."""
    if name == POOLED:
        found = {path.parent.name for path in HERE.glob("results/*/utterances.csv")}
        short = {name for name in found if name.endswith("-quick") and name.removesuffix("-quick") in found}
        return pooled_table(sorted(found - short))
    rows = rows_of(name)
    if not rows:
        return MISSING
    curve = f"\n![Word error rates](results/{name}/curve.png)\n"
    if kind_of(name) == "clips":
        return clips_table(name, rows) + curve
    if kind_of(name) == "curve":
        return curve_table(rows) + curve
    result = Result.of(rows, "wer")
    matrices = "\n".join(matrix_table(matrix) for matrix in result.matrices)
    pictures = "".join(
        f"\n![{method_name(matrix.method)}](results/{name}/{heat_map_file(matrix.method)})\n"
        for matrix in result.matrices
    )
    return f"{matrices}\n{verdict_table(result.verdicts)}{pictures}"


def curve_table(rows: Sequence[Row]) -> str:
    """WER in percent of every recipe at every budget, each group calibrated for and tested by itself.

    What not all groups have run yet has no figure for all of them.
    """
    own = [row for row in rows if row.cell.calibration == row.cell.test]
    budgets = list(dict.fromkeys(row.cell.budget for row in own))
    groups = list(dict.fromkeys(row.cell.test for row in own))
    full = [row for row in rows if row.cell.recipe == FULL]
    lines = [markdown(["quantized", "speech of", *budgets])]
    for recipe in (FULL, *dict.fromkeys(row.cell.recipe for row in own)):
        mine = full if recipe == FULL else [row for row in own if row.cell.recipe == recipe]
        for group in (*groups, "all"):
            here = [row for row in mine if group in ("all", row.cell.test)]
            cells = [here if recipe == FULL else [r for r in here if r.cell.budget == budget] for budget in budgets]
            if group == "all":
                cells = [cell if {row.cell.test for row in cell} == set(groups) else [] for cell in cells]
            lines.append(line([recipe, group, *(f"{100 * score(c, 'wer').value:.1f}" if c else "" for c in cells)]))
    return "\n".join(lines) + "\n"


def matrix_table(matrix: Matrix) -> str:
    """WER in percent: rows are what was calibrated on, columns what was tested on."""
    lines = [f"\n{method_name(matrix.method)}, WER in %:\n", markdown(["calibrated on", *matrix.tests])]
    for row in matrix.calibrations:
        found = [matrix.scores.get((row, column)) for column in matrix.tests]
        lines.append(line([row, *("" if s is None else f"{100 * s.value:.1f}" for s in found)]))
    return "\n".join(lines) + "\n"


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """What calibrating on the tested group changed."""
    heads = ["quantized", "against", "matched, %", "control, %", "difference, points [95 %]", "cells", "p", "answer"]
    lines = [markdown(heads), *(line(verdict_cells(verdict)) for verdict in verdicts)]
    return "\n".join(lines) + "\n"


def verdict_cells(verdict: Verdict) -> list[str]:
    """One row of a table of verdicts."""
    ways = verdict.methods
    low, high = 100 * verdict.interval.low, 100 * verdict.interval.high
    return [
        method_name(ways[0]) if len(ways) == 1 else "all of these",
        verdict.control,
        f"{100 * verdict.matched:.2f}",
        f"{100 * verdict.other:.2f}",
        f"{100 * verdict.difference:+.2f} [{low:+.2f}, {high:+.2f}]",
        f"{verdict.better} better, {verdict.worse} worse, {verdict.ties} equal",
        f"{verdict.p_value:.3g}",
        verdict.answer,
    ]


def pooled_table(names: Sequence[str]) -> str:
    """Matched against everybody else over every experiment that ran the control; a full run replaces its short form."""
    rows: list[Row] = []
    ways: list[Method] = []
    for name in names:
        for row in rows_of(name):
            if row.cell.recipe != FULL:  # the same recipe in two experiments is two ways
                cell = type(row.cell)(f"{name}: {row.cell.recipe}", *_rest(row))
                rows.append(Row(cell, row.audio, row.errors, row.words))
    ways = [way for way in methods(rows) if any(method_of(r) == way and r.cell.calibration == OTHERS for r in rows)]
    verdict = judge(rows, ways, OTHERS, "wer") if ways else None
    return MISSING if verdict is None else verdict_table([verdict])


def _rest(row: Row) -> tuple[str, int, int, str, str]:
    cell = row.cell
    return cell.budget, cell.clips, cell.seed, cell.calibration, cell.test


def clips_table(name: str, rows: Sequence[Row]) -> str:
    """WER, and how far two draws of the same size disagree about the widths."""
    widths = read_schemes(HERE / "results" / name / "schemes.csv")
    lines = [markdown(["quantized", "clips", "WER, % [95 %]", "widths of two draws differ by, bits a layer"])]
    for recipe, budget, clips in methods(rows):
        mine = [row for row in rows if method_of(row) == (recipe, budget, clips)]
        found, draws = score(mine, "wer"), {row.cell.seed for row in mine}
        low, high = 100 * found.interval.low, 100 * found.interval.high
        apart = [
            spread([scheme for key, scheme in widths.items() if key[:3] == (recipe, budget, clips) and key[4] == who])
            for who in sorted({key[4] for key in widths})
        ]
        cells = [f"{recipe}, {budget}", str(clips), f"{100 * found.value:.2f} [{low:.2f}, {high:.2f}]"]
        lines.append(line([*cells, f"{sum(apart) / len(apart):.3f}" if len(draws) > 1 else "one draw"]))
    return "\n".join(lines) + "\n"


def plot(name: str, rows: Sequence[Row]) -> None:
    """WER of matched calibration against the budget, or against the number of clips."""
    from matplotlib.figure import Figure

    by_clips = kind_of(name) == "clips"
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    curves: dict[str, list[tuple[float, float]]] = {}
    for recipe, budget, clips in methods(rows):
        own = [r for r in rows if method_of(r) == (recipe, budget, clips) and r.cell.calibration == r.cell.test]
        if {row.cell.test for row in own} != {row.cell.test for row in rows}:
            continue  # not all groups have run yet
        place = float(clips) if by_clips else float(budget.partition("=")[2])
        curves.setdefault(recipe, []).append((place, 100 * score(own, "wer").value))
    for recipe, points in curves.items():
        axes.plot(*zip(*sorted(points), strict=True), marker="o", label=recipe)
    full = 100 * score([row for row in rows if row.cell.recipe == FULL], "wer").value
    axes.axhline(full, color="gray", linestyle="--", label=FULL)
    axes.set(xlabel="calibration clips" if by_clips else "average bits of a weight", ylabel="word error rate, %")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(HERE / "results" / name / "curve.png", dpi=120)


def markdown(heads: Sequence[str]) -> str:
    """Head of a table."""
    return f"{line(heads)}\n{line(['---'] * len(heads))}"


def line(cells: Sequence[str]) -> str:
    """Row of a table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
