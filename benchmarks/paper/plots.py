"""Curves over budgets or numbers of clips."""

from __future__ import annotations

from collections.abc import Sequence

from raw import HERE, LIMITED, axis_of, kind_of, metric_of, without_loops

from myqasr_fx.personalize.ledger import FULL, Row
from myqasr_fx.personalize.matrix import method_of, methods, score
from myqasr_fx.personalize.metric import METRICS


def plot(name: str, rows: Sequence[Row]) -> None:
    """WER or divergence of matched calibration against the budget, or against the number of clips."""
    from matplotlib.figure import Figure

    metric, by_clips = metric_of(name), kind_of(name) == "clips"
    factor, limited = METRICS[metric].factor, "" if without_loops(rows) == list(rows) else f"\n{LIMITED}"
    rows = without_loops(rows)
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    curves: dict[str, list[tuple[float, float]]] = {}
    for recipe, budget, clips in methods(rows):
        own = [r for r in rows if method_of(r) == (recipe, budget, clips) and r.cell.calibration == r.cell.test]
        if {row.cell.test for row in own} != {row.cell.test for row in rows}:
            continue  # not all groups have run yet
        place = float(clips) if by_clips else float(budget.partition("=")[2])
        curves.setdefault(recipe, []).append((place, factor * score(own, metric).value))
    for recipe, points in curves.items():
        axes.plot(*zip(*sorted(points), strict=True), marker="o", label=recipe)
    full = factor * score([row for row in rows if row.cell.recipe == FULL], metric).value
    axes.axhline(full, color="gray", linestyle="--", label=FULL)
    axes.set(xlabel="calibration clips" if by_clips else "average bits of a weight", ylabel=axis_of(metric) + limited)
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(HERE / "results" / name / "curve.png", dpi=120)
