"""How often 95 % intervals hold the truth, on clips that were heard: resampled ones, and those of the verdict."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import bootstrap

from myqasr_fx.acceptance.interval import Counted, Law
from myqasr_fx.evaluate import rate_interval

COUNTS = (1, 2, 4, 8, 16)
DRAWS = 60


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One model of ``direction.csv`` on its clips.

    Args:
        positions: (N,) of each clip.
        nats: (N,) summed over the positions.
        missed: (N,) positions with another best token.
    """

    positions: np.ndarray
    nats: np.ndarray
    missed: np.ndarray

    def part(self, chosen: np.ndarray) -> Heard:
        """Some of the clips."""
        return Heard(self.positions[chosen], self.nats[chosen], self.missed[chosen])


def read_heard(path: Path) -> dict[tuple[str, str, str], Heard]:
    """Model, budget and order to what was heard."""
    rows: dict[tuple[str, str, str], list[tuple[float, float, float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            counts = int(row["positions"]), float(row["nats"]), int(row["positions"]) - int(row["same"])
            rows.setdefault((row["model"], row["budget"], row["order"]), []).append(counts)
    return {key: Heard(*np.array(counts).T) for key, counts in rows.items()}


def covered(clips: Heard, count: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Of intervals from ``count`` clips, how many of ``DRAWS`` hold the rate of all clips, for each way to make them.

    The ways: percentiles of resampled clips, the same with bias corrected (BCa), and the verdict's.
    """
    truths = {
        "token agreement": 1 - clips.missed.sum() / clips.positions.sum(),
        "divergence": clips.nats.sum() / clips.positions.sum(),
    }
    hits = {name: np.zeros(3) for name in truths}
    for _ in range(DRAWS):
        part = clips.part(random.integers(len(clips.positions), size=count))
        counts = {"token agreement": (part.positions - part.missed, Law.SHARE), "divergence": (part.nats, Law.NATS)}
        for name, (values, law) in counts.items():
            totals = [int(p) for p in part.positions]
            own = Counted(values.tolist(), totals, law).interval()
            plain = rate_interval(values.tolist(), totals)
            intervals = ((plain.low, plain.high), corrected(values, part.positions), (own.low, own.high))
            hits[name] += [low <= truths[name] <= high for low, high in intervals]
    return hits


def corrected(values: np.ndarray, totals: np.ndarray) -> tuple[float, float]:
    """BCa interval of sum(values) / sum(totals); the rate itself where clips all agree or there is one."""
    rate = float(values.sum() / totals.sum())
    if len(values) < 2 or np.ptp(values / totals) == 0:
        return rate, rate

    def statistic(v: np.ndarray, t: np.ndarray, axis: int) -> np.ndarray:
        return v.sum(axis) / t.sum(axis)

    found = bootstrap((values, totals), statistic, paired=True, vectorized=True, n_resamples=500, rng=0)
    low, high = found.confidence_interval
    return (rate, rate) if np.isnan(low) else (float(low), float(high))


def coverage_lines(heard: Mapping[tuple[str, str, str], Heard]) -> list[str]:
    """Markdown: the shares over all models, for some numbers of clips."""
    random, ways = np.random.default_rng(0), ("resampled", "resampled, BCa", "the verdict's")
    lines = [
        f"Share of 95 % intervals that hold the rate of all {len(next(iter(heard.values())).positions)} clips, over "
        f"{len(heard)} models and {DRAWS} draws each:",
        "",
        f"| clips | {' | '.join(f'{name}: {way}' for name in ('token agreement', 'divergence') for way in ways)} |",
        f"|{' --- |' * 7}",
    ]
    for count in COUNTS:
        found = [covered(clips, count, random) for clips in heard.values()]
        sums = {name: sum(hits[name] for hits in found) / (DRAWS * len(found)) for name in found[0]}
        lines.append(f"| {count} | {' | '.join(f'{100 * share:.0f} %' for s in sums.values() for share in s)} |")
    return lines
