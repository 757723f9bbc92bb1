"""Fits any program to a budget: the middle of the compiler without speech."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from myqasr_fx.capture.canonical import CanonicalGraphs
from myqasr_fx.export.files import model_bytes, write_program
from myqasr_fx.fit.allocation import predicted_bytes, widths_pass
from myqasr_fx.fit.attempts import meet_budget
from myqasr_fx.fit.fit import kept_floats
from myqasr_fx.fit.request import FitRequest
from myqasr_fx.measure.observe import observers
from myqasr_fx.process.limits import Limits
from passes.base import Program
from passes.calibration.calibrate import Calibrate
from passes.lowering.lower_qdq import LowerToQDQ
from passes.manager.run_passes import run_passes
from passes.needs import Needs
from passes.observe.activation_stats import Statistics
from passes.observe.insert_gram_observers import Grams, read_grams
from passes.observe.insert_observers import read_statistics
from passes.rounding.round_floats import RoundFloats
from passes.rounding.round_weights import RoundWeights
from passes.sensitivity.rank_sensitivity import RankSensitivity


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the batches told.

    Args:
        statistics: Of every layer's inputs and output.
        grams: Layer name to the Gram matrix of its inputs.
        batches: How many there were.
    """

    statistics: Statistics
    grams: Grams
    batches: int


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A program that was rounded and written.

    Args:
        program: With schemes and quantized weights in its metadata.
        files: Of the model.
    """

    program: Program
    files: tuple[Path, ...]

    @property
    def model_bytes(self) -> int:
        """Bytes on the disk."""
        return model_bytes(self.files)


def see(
    graphs: CanonicalGraphs, batches: Iterable[tuple[Tensor, ...]], needs: Needs, dump_ir: Path | None = None
) -> Seen:
    """Runs the observed graph on every batch, once for all that is needed.

    Args:
        graphs: Canonical.
        batches: Inputs of the graph.
        needs: Of all chosen methods together.
        dump_ir: Folder for the graph after each pass.
    """
    watched = run_passes(graphs.program, observers(needs), dump_ir)
    (module,) = watched.graphs.values()
    count = 0
    with torch.no_grad():
        for batch in batches:
            module(*batch)
            count += 1
    return Seen(read_statistics(watched), read_grams(watched), count)


def fit_program(graphs: CanonicalGraphs, seen: Seen, request: FitRequest, path: Path, limits: Limits) -> Written:
    """Allocates, rounds and writes until the file meets the budget and uses it.

    Args:
        graphs: Canonical.
        seen: On the batches.
        request: What is asked of the file.
        path: Of the file.
        limits: Attempts, and how much of a budget may stay unused.

    Raises:
        BudgetError: The budget is infeasible.
    """
    ranking = (RankSensitivity(seen.statistics, request.sensitivity), RoundFloats(request.codes_tables))
    ranked = run_passes(graphs.program, ranking, request.dump("rank"))

    def write(tried: FitRequest, surplus: int) -> tuple[Written, int]:
        return _write(graphs, ranked, (seen, tried, path), surplus)

    return meet_budget(request, limits, write, largest=True)


def _write(
    graphs: CanonicalGraphs, ranked: Program, how: tuple[Seen, FitRequest, Path], surplus: int
) -> tuple[Written, int]:
    """One attempt, and the bytes that were predicted for it."""
    seen, request, path = how
    step = widths_pass(graphs, request, surplus)
    calibrate = Calibrate(request.calibration, None, request.activation_ranges, seen.statistics)
    passes = (step, calibrate, RoundWeights(grams=seen.grams))
    program = run_passes(ranked, passes, request.dump("round"))
    lowered = run_passes(program, (LowerToQDQ(),), request.dump("qdq"))
    paths = dict.fromkeys(lowered.graphs, path)
    files = write_program(lowered, graphs.signatures, request.opset, paths, kept_floats(program))
    return Written(program, files), predicted_bytes(graphs, program, step)
