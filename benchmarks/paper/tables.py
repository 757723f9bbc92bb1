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
from dataclasses import replace
from pathlib import Path

from experiments import EXPERIMENTS
from layer_weights import read_weights, real_bits
from plots import plot
from raw import HERE, LIMITED, axis_of, kind_of, metric_of, rows_of, without_loops

from myqasr_fx.personalize.controls import OTHERS
from myqasr_fx.personalize.ledger import FULL, Row
from myqasr_fx.personalize.matrix import Matrix, method_of, methods, pooled_value, score
from myqasr_fx.personalize.metric import METRICS, Metric, counted
from myqasr_fx.personalize.result import Result, heat_map_file, method_name
from myqasr_fx.personalize.schemes import read_schemes, spread
from myqasr_fx.personalize.verdict import Verdict, judge

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


def block(name: str) -> str:
    """The tables of one result as Markdown."""
    if name == POOLED:
        found = {path.parent.name for path in HERE.glob("results/*/utterances.csv")}
        short = {name for name in found if name.endswith("-quick") and name.removesuffix("-quick") in found}
        return pooled_tables(sorted(found - short)) or MISSING
    rows = rows_of(name)
    if not rows:
        return MISSING
    metric = metric_of(name)
    curve = f"\n![{axis_of(metric)}](results/{name}/curve.png)\n"
    if kind_of(name) == "clips":
        return clips_table(name, rows) + curve
    if kind_of(name) == "curve":
        return curve_tables(rows) + bits_table(name) + curve
    result = Result.of(rows, metric)
    pictures = "".join(
        f"\n![{method_name(matrix.method)}](results/{name}/{heat_map_file(matrix.method)})\n"
        for matrix in result.matrices
    )
    tables = [matrix_tables(result)]
    if (cut := without_loops(rows)) != list(rows):
        tables.append(f"\nWER in %, {LIMITED}:\n\n{verdict_table(Result.of(cut, metric).verdicts)}")
    if result.beside:
        tables.append(matrix_tables(result.beside))
    return f"{''.join(tables)}{pictures}"


def curve_tables(rows: Sequence[Row]) -> str:
    """WER; the same with loops cut, where there are any; and divergence, where it was measured."""
    tables = f"WER in %:\n\n{curve_table(rows)}"
    if (cut := without_loops(rows)) != list(rows):
        tables += f"\nWER in %, {LIMITED}:\n\n{curve_table(cut)}"
    if compared := counted(rows, "divergence"):
        tables += f"\nDivergence from full precision, nats a token:\n\n{curve_table(compared, 'divergence')}"
    return tables


def bits_table(name: str) -> str:
    """What the widths of every recipe take on average, which budgets only bound: a whole layer may move or stay."""
    weights = read_weights()[Path(EXPERIMENTS[name.removesuffix("-quick")].model).name]
    found: dict[tuple[str, str], list[float]] = {}
    for key, widths in read_schemes(HERE / "results" / name / "schemes.csv").items():
        found.setdefault(key[:2], []).append(real_bits(widths, weights))
    budgets = list(dict.fromkeys(budget for _, budget in found))
    lines = [markdown(["quantized", *budgets])]
    for recipe in dict.fromkeys(recipe for recipe, _ in found):
        cells = [found.get((recipe, budget), []) for budget in budgets]
        lines.append(line([recipe, *(f"{sum(cell) / len(cell):.3f}" if cell else "" for cell in cells)]))
    return "\nBits a weight that were really used, mean over groups:\n\n" + "\n".join(lines) + "\n"


def curve_table(rows: Sequence[Row], metric: Metric = "wer") -> str:
    """Every recipe at every budget, each group calibrated for and tested by itself.

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
            if any(cells):
                found = (METRICS[metric].text(pooled_value(cell, metric)) if cell else "" for cell in cells)
                lines.append(line([recipe, group, *found]))
    return "\n".join(lines) + "\n"


def matrix_tables(result: Result) -> str:
    """Every matrix, then what calibrating on the tested group changed."""
    matrices = "\n".join(matrix_table(matrix, result.metric) for matrix in result.matrices)
    return f"{matrices}\n{verdict_table(result.verdicts)}"


def matrix_table(matrix: Matrix, metric: Metric) -> str:
    """Rows are what was calibrated on, columns what was tested on."""
    meaning = METRICS[metric]
    title = "WER in %" if metric == "wer" else "divergence from full precision in nats a token"
    lines = [f"\n{method_name(matrix.method)}, {title}:\n", markdown(["calibrated on", *matrix.tests])]
    for row in matrix.calibrations:
        found = [matrix.scores.get((row, column)) for column in matrix.tests]
        lines.append(line([row, *("" if s is None else meaning.text(s.value) for s in found)]))
    return "\n".join(lines) + "\n"


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """What calibrating on the tested group changed."""
    meaning = METRICS[verdicts[0].metric]
    rates = [f"{side}, {meaning.unit}" for side in ("matched", "control")]
    heads = ["quantized", "against", *rates, f"difference, {meaning.change} [95 %]", "groups", "p", "shows", "answer"]
    lines = [markdown(heads), *(line(verdict_cells(verdict)) for verdict in verdicts)]
    return "\n".join(lines) + "\n"


def verdict_cells(verdict: Verdict) -> list[str]:
    """One row of a table of verdicts."""
    ways, fine = verdict.methods, METRICS[verdict.metric].fine
    return [
        method_name(ways[0]) if len(ways) == 1 else "all of these",
        verdict.control,
        fine(verdict.matched),
        fine(verdict.other),
        f"{fine(verdict.difference, '+')} [{fine(verdict.interval.low, '+')}, {fine(verdict.interval.high, '+')}]",
        f"{verdict.better} better, {verdict.worse} worse, {verdict.ties} equal",
        f"{verdict.p_value:.3g}",
        "nothing" if verdict.detectable is None else fine(verdict.detectable),
        verdict.answer,
    ]


def pooled_tables(names: Sequence[str]) -> str:
    """Matched against everybody else over every experiment that ran the control; a full run replaces its short form."""
    wer, nats = ([row for name in names for row in ways_of(name, metric)] for metric in ("wer", "divergence"))
    kinds: list[tuple[str, Metric, Sequence[Row]]] = [
        ("WER in %", "wer", wer),
        (f"WER in %, {LIMITED}", "wer", without_loops(wer)),
        ("Divergence from full precision, nats a token", "divergence", nats),
    ]
    judged = [(title, judge_all(rows, metric)) for title, metric, rows in kinds]
    return "\n".join(f"{title}:\n\n{verdict_table([verdict])}" for title, verdict in judged if verdict)


def ways_of(name: str, metric: Metric) -> list[Row]:
    """Rows of quantized models that the metric can be told of; the same recipe in two experiments is two ways."""
    return [
        replace(row, cell=replace(row.cell, recipe=f"{name}: {row.cell.recipe}"))
        for row in counted(rows_of(name), metric)
        if row.cell.recipe != FULL
    ]


def judge_all(rows: Sequence[Row], metric: Metric) -> Verdict | None:
    """Over all ways to quantize that have the control."""
    controlled = {method_of(row) for row in rows if row.cell.calibration == OTHERS}
    ways = [way for way in methods(rows) if way in controlled]
    return judge(rows, ways, OTHERS, metric) if ways else None


def clips_table(name: str, rows: Sequence[Row]) -> str:
    """WER or divergence, and how far two draws of the same size disagree about the widths."""
    widths = read_schemes(HERE / "results" / name / "schemes.csv")
    shown: list[Metric] = [m for m in ("wer", "divergence") if counted(rows, m)]
    heads = {"wer": "WER, % [95 %]", "divergence": "divergence, nats a token [95 %]"}
    columns = [heads[metric] for metric in shown]
    lines = [markdown(["quantized", "clips", *columns, "widths of two draws differ by, bits a layer"])]
    for recipe, budget, clips in methods(rows):
        mine = [row for row in rows if method_of(row) == (recipe, budget, clips)]
        draws = {row.cell.seed for row in mine}
        apart = [
            spread([scheme for key, scheme in widths.items() if key[:3] == (recipe, budget, clips) and key[4] == who])
            for who in sorted({key[4] for key in widths})
        ]
        cells = [f"{recipe}, {budget}", str(clips), *(with_interval(mine, metric) for metric in shown)]
        lines.append(line([*cells, f"{sum(apart) / len(apart):.3f}" if len(draws) > 1 else "one draw"]))
    return "\n".join(lines) + "\n"


def with_interval(rows: Sequence[Row], metric: Metric) -> str:
    """A score as a cell."""
    found, fine = score(rows, metric), METRICS[metric].fine
    return f"{fine(found.value)} [{fine(found.interval.low)}, {fine(found.interval.high)}]"


def markdown(heads: Sequence[str]) -> str:
    """Head of a table."""
    return f"{line(heads)}\n{line(['---'] * len(heads))}"


def line(cells: Sequence[str]) -> str:
    """Row of a table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
