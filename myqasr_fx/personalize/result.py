"""All that an experiment says, and the files that say it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myqasr_fx.bundle.output_file import write_file
from myqasr_fx.personalize.controls import NOISE, OTHERS
from myqasr_fx.personalize.heat_map import draw_heat_map
from myqasr_fx.personalize.ledger import Row
from myqasr_fx.personalize.matrix import Matrix, Method, Score, make_matrix, methods
from myqasr_fx.personalize.metric import Metric, counted, has_texts
from myqasr_fx.personalize.table import write_table
from myqasr_fx.personalize.verdict import FOREIGN, Verdict, judge

CONTROLS = (OTHERS, NOISE, FOREIGN)


@dataclass(frozen=True, slots=True)
class Result:
    """Matrices and verdicts.

    Args:
        metric: What the scores are.
        matrices: One a way to quantize.
        verdicts: Of every way to quantize and control, then of all ways together.
        beside: The same by divergence from full precision, where another metric is asked for.
    """

    metric: Metric
    matrices: tuple[Matrix, ...]
    verdicts: tuple[Verdict, ...]
    beside: Result | None = None

    @classmethod
    def of(cls, rows: Sequence[Row], metric: Metric) -> Result:
        """The result of raw rows."""
        rows, compared = counted(rows, metric), counted(rows, "divergence")
        ways = methods(rows)
        pools = [(way,) for way in ways] + ([ways] if len(ways) > 1 else [])
        found = [judge(rows, pool, control, metric) for pool in pools for control in CONTROLS]
        verdicts = tuple(verdict for verdict in found if verdict is not None)
        beside = cls.of(compared, "divergence") if has_texts(metric) and compared else None
        return cls(metric, tuple(make_matrix(rows, way, metric) for way in ways), verdicts, beside)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "metric": self.metric,
            "matrices": [_plain_matrix(matrix) for matrix in self.matrices],
            "verdicts": [_plain_verdict(verdict) for verdict in self.verdicts],
            **({"beside": self.beside.as_dict()} if self.beside else {}),
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
    write_table(written[0], _lines(result))
    write_file(written[1], json.dumps(result.as_dict(), indent=1, ensure_ascii=False) + "\n", force=True)
    for matrix in result.matrices if plots else ():
        written.append(out / heat_map_file(matrix.method))
        draw_heat_map(matrix, result.metric, method_name(matrix.method), written[-1])
    return tuple(written)


def _lines(result: Result) -> Iterator[Sequence[object]]:
    """A line a cell: its score and, where another metric was asked for, its divergence."""
    beside = {matrix.method: matrix.scores for matrix in result.beside.matrices} if result.beside else {}
    head = ["recipe", "budget", "clips", "calibration", "test", result.metric, "low", "high", "utterances"]
    yield head + (["divergence", "divergence_low", "divergence_high"] if beside else [])
    for matrix in result.matrices:
        for (calibration, test), s in matrix.scores.items():
            line = [*matrix.method, calibration, test, *_numbers(s), s.utterances]
            known = beside.get(matrix.method, {}).get((calibration, test))
            yield line + (_numbers(known) if known else [""] * 3 if beside else [])


def _numbers(score: Score) -> list[object]:
    return [f"{value:.5f}" for value in (score.value, score.interval.low, score.interval.high)]


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
        "detectable": verdict.detectable,
        "answer": verdict.answer,
    }
