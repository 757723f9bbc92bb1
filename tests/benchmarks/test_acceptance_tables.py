"""How bounds are chosen and verdicts counted."""

from pathlib import Path

import pytest
from acceptance_outcomes import DEV, TEST, Outcome, Variant
from acceptance_tables import AGREEMENT, BASELINE, KL, Score, choose, correlation, plot, summary

MODELS = ((0.001, 0.0), (0.01, 0.01), (0.03, 0.015), (0.05, 0.03), (0.2, 0.05), (0.9, 0.5))
"""Divergence and loss."""


def outcomes(side: str) -> list[Outcome]:
    found = []
    for index, (kl, loss) in enumerate(MODELS):
        variant = Variant(("base", "tiny")[index % 2], "paper-file", f"{40 - index}MB")
        rates = (1 - kl / 2, kl, 0.01, 0.0, 0.0, 0.0, 0.0)
        found.append(Outcome(variant, side, 8.0 - index, *rates, 100, loss, loss - 0.01, loss + 0.01, 500, 0))
    return found


def test_a_bound_parts_the_good_from_the_bad() -> None:
    assert choose(outcomes(DEV), KL) == pytest.approx(0.04)
    assert choose(outcomes(DEV), AGREEMENT) == pytest.approx(-0.98)


def test_of_equally_many_wrong_verdicts_false_rejects_are_taken() -> None:
    (first, *_), (*_, last) = outcomes(DEV), outcomes(DEV)
    twins = [first, Outcome(*(getattr(first, f) for f in first.__slots__[:11]), 0.04, 0.0, 0.1, 500, 0), last]
    assert Score.of(twins, lambda o: KL.badness(o) <= choose(twins, KL)) == Score(0, 2, 1, 1)


def test_rank_correlation() -> None:
    assert correlation(outcomes(TEST), KL) == pytest.approx(1)
    assert correlation(outcomes(TEST), BASELINE) == pytest.approx(1)
    assert correlation(outcomes(TEST)[:1], KL) is None


def test_the_summary_counts_models_in_range() -> None:
    text = summary([*outcomes(DEV), *outcomes(TEST)])
    assert "6 models; 5 of them lose 0 to 6 points of word error rate on the test side (3 base, 2 tiny)." in text
    assert (
        "| divergence, nats | 1.00 | 1.00 | 1.00 | 0.04 | 0 of 3 / 0 of 3 | 0 of 2 / 0 of 3 | 0 of 3 / 0 of 3 |" in text
    )
    assert "| tiny | paper-file | 35MB | 24 | 3.00 | 0.900 | +50.00 [+49.00, +51.00] |" in text


def test_the_plot_is_written(tmp_path: Path) -> None:
    plot(tmp_path / "plot.png", [*outcomes(DEV), *outcomes(TEST)])
    assert (tmp_path / "plot.png").stat().st_size > 10_000
