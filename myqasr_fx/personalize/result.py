"""All that an experiment says, and the files that say it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myqasr_fx.personalize.draw import NOISE, OTHERS
from myqasr_fx.personalize.heat_map import draw_heat_map
from myqasr_fx.personalize.ledger import Row
from myqasr_fx.personalize.matrix import Matrix, Method, Metric, make_matrix, methods
from myqasr_fx.personalize.verdict import FOREIGN, Verdict, judge

CONTROLS = (OTHERS, NOISE, FOREIGN)


@dataclass(frozen=True, slots=True)
class Result:
    """Matrices and verdicts.

    Args:
        metric: What the scores are.
        matrices: One a way to quantize.
        verdicts: Of every way to quantize and control, then of all ways together.
    """

    metric: Metric
    matrices: tuple[Matrix, ...]
    verdicts: tuple[Verdict, ...]

    @classmethod
    def of(cls, rows: Sequence[Row], metric: Metric) -> Result:
        """The result of raw rows."""
        ways = methods(rows)
        pools = [(way,) for way in ways] + ([ways] if len(ways) > 1 else [])
        found = [judge(rows, pool, control, metric) for pool in pools for control in CONTROLS]
        verdicts = tuple(verdict for verdict in found if verdict is not None)
        return cls(metric, tuple(make_matrix(rows, way, metric) for way in ways), verdicts)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "metric": self.metric,
            "matrices": [_plain_matrix(matrix) for matrix in self.matrices],
            "verdicts": [_plain_verdict(verdict) for verdict in self.verdicts],
        }


def method_name(method: Method) -> str:
    """A title."""
    recipe, budget, clips = method
    return f"{recipe}, {budget}, {clips} clip{'s' if clips != 1 else ''}"


def heat_map_file(method: Method) -> str:
    """Name of the picture of a matrix."""
    return f"matrix_{re.sub(r'[^a-zA-Z0-9_.]+', '-', method_name(method)).strip('-')}.png"


def write_result(result: Result, out: Path, plots: bool) -> tuple[Path, ...]:
    """Writes ``matrices.csv``, ``result.json`` and, if asked for, a heat map of each matrix; gives their paths."""
    written = [out / "matrices.csv", out / "result.json"]
    with written[0].open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        head = ("recipe", "budget", "clips", "calibration", "test", result.metric, "low", "high", "utterances")
        writer.writerow(head)
        for matrix in result.matrices:
            for (calibration, test), s in matrix.scores.items():
                numbers = (f"{value:.5f}" for value in (s.value, s.interval.low, s.interval.high))
                writer.writerow([*matrix.method, calibration, test, *numbers, s.utterances])
    written[1].write_text(json.dumps(result.as_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for matrix in result.matrices if plots else ():
        written.append(out / heat_map_file(matrix.method))
        draw_heat_map(matrix, result.metric, method_name(matrix.method), written[-1])
    return tuple(written)


def _plain_matrix(matrix: Matrix) -> dict[str, Any]:
    recipe, budget, clips = matrix.method
    cells = [
        {"calibration": row, "test": column, "value": s.value, "ci95": [s.interval.low, s.interval.high]}
        for (row, column), s in matrix.scores.items()
    ]
    return {"recipe": recipe, "budget": budget, "clips": clips, "cells": cells}


def _plain_verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "methods": [list(method) for method in verdict.methods],
        "control": verdict.control,
        "matched": verdict.matched,
        "other": verdict.other,
        "difference": verdict.difference,
        "ci95": [verdict.interval.low, verdict.interval.high],
        "better": verdict.better,
        "worse": verdict.worse,
        "ties": verdict.ties,
        "p_value": verdict.p_value,
        "answer": verdict.answer,
    }
