"""Bounds chosen on one set of speakers and scored on another: the tables and the plot of the acceptance study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from acceptance_outcomes import DEV, TEST, Outcome
from scipy.stats import spearmanr

MOST_LOSS = 0.02
"""Word error rate that a model may lose and still be worth accepting."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that is known without labels.

    Args:
        name: In tables.
        field: Of :class:`Outcome`.
        sign: 1 when more of it is worse, -1 when less is.
    """

    name: str
    field: str
    sign: int = 1

    def badness(self, outcome: Outcome) -> float:
        """The larger, the worse."""
        return self.sign * float(getattr(outcome, self.field))


KL = Figure("divergence, nats", "kl")
AGREEMENT = Figure("token agreement", "agreement", -1)
FIGURES = (
    KL,
    AGREEMENT,
    Figure("words changed", "changes"),
    Figure("words substituted", "substitutions"),
    Figure("words left out", "deletions"),
    Figure("words added", "insertions"),
    Figure("clips in a loop", "loops"),
    Figure("blank clips", "blanks"),
)
BASELINE = Figure("average bits (baseline)", "bits", -1)


@dataclass(frozen=True, slots=True)
class Score:
    """Verdicts against the truth.

    Args:
        false_accepts: Models accepted that lose more than ``MOST_LOSS``.
        bad: Models that do.
        false_rejects: Models rejected that do not.
        good: Models that do not.
    """

    false_accepts: int
    bad: int
    false_rejects: int
    good: int

    @classmethod
    def of(cls, outcomes: Sequence[Outcome], accepts: Callable[[Outcome], bool]) -> Score:
        """Of a rule."""
        bad = [accepts(o) for o in outcomes if o.loss > MOST_LOSS]
        good = [accepts(o) for o in outcomes if o.loss <= MOST_LOSS]
        return cls(sum(bad), len(bad), len(good) - sum(good), len(good))

    @property
    def wrong(self) -> tuple[int, int]:
        """Wrong verdicts; of as many, the accepts are worse."""
        return self.false_accepts + self.false_rejects, self.false_accepts

    def __str__(self) -> str:
        return f"{self.false_accepts} of {self.bad} / {self.false_rejects} of {self.good}"


def choose(outcomes: Sequence[Outcome], figure: Figure) -> float:
    """The bound on a figure's badness with the fewest wrong verdicts, halfway between two models' values."""
    values = sorted({figure.badness(outcome) for outcome in outcomes})
    bounds = [values[0] - 1, *((low + high) / 2 for low, high in pairwise(values)), values[-1]]
    return min(bounds, key=lambda bound: Score.of(outcomes, lambda o: figure.badness(o) <= bound).wrong)


def correlation(outcomes: Sequence[Outcome], figure: Figure) -> float | None:
    """Spearman's rank correlation of a figure's badness with the loss; None for a figure that never changes."""
    values = [figure.badness(outcome) for outcome in outcomes]
    if len(set(values)) < 2:
        return None
    return float(spearmanr(values, [outcome.loss for outcome in outcomes]).statistic)


def summary(outcomes: Sequence[Outcome]) -> str:
    """Markdown: every figure, and the models."""
    dev, test = ([o for o in outcomes if o.side == side] for side in (DEV, TEST))
    wanted = [o for o in test if o.in_range]
    counts = {model: sum(o.variant.model == model for o in wanted) for model in sorted({o.variant.model for o in test})}
    lines = [
        f"{len(test)} models; {len(wanted)} of them lose 0 to 6 points of word error rate on the test side "
        f"({', '.join(f'{count} {model}' for model, count in counts.items())}).",
        "",
        f"| figure | rank correlation with the loss | {' | '.join(counts)} | bound from dev | wrong on dev | "
        "wrong on test, 0 to 6 points | wrong on test, all |",
        f"| --- | --- |{' --- |' * len(counts)} --- | --- | --- | --- |",
    ]
    for figure in (*FIGURES, BASELINE):
        bound = choose(dev, figure)
        parts = (wanted, *([o for o in wanted if o.variant.model == model] for model in counts))
        scores = [Score.of(part, _rule(figure, bound)) for part in (dev, wanted, test)]
        cells = [
            *(_shown(correlation(part, figure)) for part in parts),
            f"{figure.sign * bound:.4g}",
            *map(str, scores),
        ]
        lines.append(f"| {figure.name} | {' | '.join(cells)} |")
    lines += ["", "Wrong verdicts: accepted of those that lose more than 2 points / rejected of the others.", ""]
    return "\n".join((*lines, *_models(outcomes), ""))


def _shown(rho: float | None) -> str:
    return "constant" if rho is None else f"{rho:.2f}"


def _rule(figure: Figure, bound: float) -> Callable[[Outcome], bool]:
    return lambda outcome: figure.badness(outcome) <= bound


def _models(outcomes: Sequence[Outcome]) -> list[str]:
    head = ("model", "recipe", "budget", "clips", "bits", "KL dev", "loss dev", "KL test", "agreement", "loss test")
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for dev in (o for o in outcomes if o.side == DEV):
        (test,) = (o for o in outcomes if o.variant == dev.variant and o.side == TEST)
        names = (dev.variant.model, dev.variant.recipe, dev.variant.budget, str(dev.variant.clips), f"{dev.bits:.2f}")
        figures = (f"{dev.kl:.3f}", _loss(dev), f"{test.kl:.3f}", f"{test.agreement:.1%}", _loss(test))
        lines.append(f"| {' | '.join((*names, *figures))} |")
    return lines


def _loss(outcome: Outcome) -> str:
    low, high = 100 * outcome.loss_low, 100 * outcome.loss_high
    loops = f", {outcome.runaways} in a loop" if outcome.runaways else ""
    return f"{100 * outcome.loss:+.2f} [{low:+.2f}, {high:+.2f}]{loops}"


def plot(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Loss against divergence, agreement, changed words and average bits: a point a model, bounds from dev dashed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    dev, test = ([o for o in outcomes if o.side == side] for side in (DEV, TEST))
    shown = [o for o in test if o.loss <= 0.1]
    figure, panels = pyplot.subplots(2, 2, figsize=(9, 7), layout="constrained")
    for axes, each in zip(panels.flat, (KL, AGREEMENT, FIGURES[2], BASELINE), strict=True):
        for marker, model in zip("os^", sorted({o.variant.model for o in shown}), strict=False):
            own = [o for o in shown if o.variant.model == model]
            losses, values = [100 * o.loss for o in own], [getattr(o, each.field) for o in own]
            spread = [[100 * (o.loss - o.loss_low) for o in own], [100 * (o.loss_high - o.loss) for o in own]]
            axes.errorbar(values, losses, yerr=spread, fmt=marker, label=model, elinewidth=0.5, alpha=0.8)
        bound = each.sign * choose(dev, each)
        if axes.get_xlim()[0] <= bound <= axes.get_xlim()[1]:  # a bound far off would squeeze the points
            axes.axvline(bound, color="gray", linestyle="--")
        axes.axhline(100 * MOST_LOSS, color="gray", linewidth=0.8)
        axes.set(xlabel=each.name, ylabel="loss of word error rate, points")
        axes.grid(alpha=0.3)
    panels.flat[0].set_xscale("log")
    panels.flat[0].legend(fontsize="small")
    figure.savefig(path, dpi=110, metadata={"Software": None})
