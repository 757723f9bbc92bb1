"""The question that a user has: does calibrating on me help me, by how much, with what certainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from myqasr_fx.evaluate.bootstrap import Interval, grouped_difference_interval
from myqasr_fx.personalize.controls import NOISE, OTHERS
from myqasr_fx.personalize.ledger import FULL, Row
from myqasr_fx.personalize.matrix import Method, method_of
from myqasr_fx.personalize.metric import METRICS, Count, Metric

CERTAINTY = 0.05
"""Largest probability of the sign test under which a gain counts as shown; chosen before any run."""

DETECTABLE = (1.96 + 0.84) / (2 * 1.96)
"""Of the width of an interval: the gain that lies outside four times in five, of a normal estimate."""

FOREIGN = "another group"
"""In the place of a control: the mean over what was calibrated on every other group."""

Loss = dict[tuple[str, str, int], tuple[float, int]]
"""Test group, recording and seed to errors and what they are counted against."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Matched calibration against a control on the same utterances.

    Args:
        metric: What is compared; of accuracy and agreement, what is missing from one.
        methods: Ways to quantize that were pooled.
        control: What matched calibration is compared with.
        matched: Rate of errors, calibrated on the group that is tested.
        other: The same, calibrated on the control.
        interval: 95 % interval of ``matched - other``, from a paired bootstrap over groups and then over utterances;
            the seeds and methods of an utterance are resampled together.
        better: Test groups in which matched has fewer errors, seeds and methods pooled, which are not independent.
        worse: Those in which it has more.
        ties: Those in which it has as many.
    """

    metric: Metric
    methods: tuple[Method, ...]
    control: str
    matched: float
    other: float
    interval: Interval
    better: int
    worse: int
    ties: int

    @property
    def difference(self) -> float:
        """Negative when calibrating on the tested group helps."""
        return self.matched - self.other

    @property
    def p_value(self) -> float:
        """Of the one-sided sign test over groups."""
        differ = self.better + self.worse
        return float(binomtest(self.better, differ, alternative="greater").pvalue) if differ else 1.0

    @property
    def detectable(self) -> float | None:
        """The gain that so much speech would have shown four times in five.

        None where no gain could be shown, since too few groups differ for the sign test whatever they say.
        """
        if 0.5 ** (self.better + self.worse) >= CERTAINTY:
            return None
        return DETECTABLE * (self.interval.high - self.interval.low)

    @property
    def answer(self) -> str:
        """``helps`` and ``harms`` need the interval on one side of zero; ``helps`` the sign test too."""
        if self.interval.high < 0 and self.p_value < CERTAINTY:
            return "helps"
        return "harms" if self.interval.low > 0 else "not shown"


def judge(rows: Sequence[Row], chosen: Sequence[Method], control: str, metric: Metric) -> Verdict | None:
    """Compares over ``chosen`` ways to quantize together; None where the control was not run.

    Args:
        rows: Raw result.
        chosen: At least one.
        control: ``OTHERS``, ``NOISE`` or ``FOREIGN``.
        metric: What counts as an error.
    """
    pooled: dict[str, dict[str, list[float]]] = {}  # group and recording to errors of both sides, and words
    for method in chosen:
        mine, theirs = _losses(rows, method, control, metric)
        for key in sorted(set(mine) & set(theirs)):
            sums = pooled.setdefault(key[0], {}).setdefault(key[1], [0.0, 0.0, 0.0])
            for index, value in enumerate((mine[key][0], theirs[key][0], mine[key][1])):
                sums[index] += value
    if not pooled:
        return None
    groups = [np.array(list(recordings.values())) for recordings in pooled.values()]
    changes: list[list[float]] = [(group[:, 0] - group[:, 1]).tolist() for group in groups]
    interval = grouped_difference_interval(changes, [group[:, 2].tolist() for group in groups])
    signs = [int(np.sign(round(sum(change), 9))) for change in changes]
    matched, other, words = np.concatenate(groups).sum(0).tolist()
    rates = (matched / max(words, 1), other / max(words, 1))
    return Verdict(metric, tuple(chosen), control, *rates, interval, *map(signs.count, (-1, 1, 0)))


def _losses(rows: Sequence[Row], method: Method, control: str, metric: Metric) -> tuple[Loss, Loss]:
    """Losses of matched calibration and of the control."""
    mine: Loss = {}
    others: dict[tuple[str, str, int], list[Count]] = {}
    count = METRICS[metric].count
    for row in rows:
        if row.cell.recipe == FULL or method_of(row) != method:
            continue
        key = (row.cell.test, row.audio, row.cell.seed)
        calibration = row.cell.calibration
        kind = calibration if calibration in (OTHERS, NOISE) else FOREIGN
        if calibration == row.cell.test:
            mine[key] = count(row)
        elif kind == control:
            others.setdefault(key, []).append(count(row))
    return mine, _means(others)


def _means(found: Mapping[tuple[str, str, int], Sequence[Count]]) -> Loss:
    return {key: (sum(errors for errors, _ in pairs) / len(pairs), pairs[0][1]) for key, pairs in found.items()}
