"""Fits a model to a budget: solves, rounds and writes, as often as :func:`meet_budget` asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from myqasr_fx.delta.record import Gain
from myqasr_fx.export.files import model_bytes, write_program
from myqasr_fx.fit.allocation import Expectation, allocation_pass, divided_surplus, expectation, predicted_bytes
from myqasr_fx.fit.attempts import meet_budget
from myqasr_fx.fit.job import FitJob
from myqasr_fx.fit.lay_aside import lay_aside
from myqasr_fx.fit.request import FitRequest
from myqasr_fx.fit.sequential import Sequenced, round_in_sequence
from myqasr_fx.fit.trellis_tables import trellis_tables
from passes.allocation.allocate_bits import AllocateBits, read_scheme
from passes.base import Pass, Program
from passes.calibration.calibrate import Calibrate
from passes.lowering.lower_qdq import LowerToQDQ
from passes.manager.run_passes import run_passes
from passes.numbers.scheme import FLOAT_BITS, BitScheme
from passes.numbers.trellis import NO_TABLES, Tables
from passes.rounding.correct_biases import CorrectBiases
from passes.rounding.round_weights import RoundWeights


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A program whose nodes carry quantized weights, and the files written from it.

    Args:
        program: Canonical graphs with schemes and quantized weights in their metadata.
        scheme: The widths.
        folder: The bundle's folder.
        models: Graph name to its file.
        files: All model files, those of external data included.
        budget_bytes: What was allowed; None without a budget.
        expectation: What the allocation expects to lose; None where it weighs no damage.
        gain: What other scales and biases than a base's are worth; None without a base.
    """

    program: Program
    scheme: BitScheme
    folder: Path
    models: Mapping[str, Path]
    files: tuple[Path, ...]
    budget_bytes: int | None
    expectation: Expectation | None = None
    gain: Gain | None = None

    @property
    def model_bytes(self) -> int:
        """Bytes on the disk."""
        return model_bytes(self.files)


def fit(job: FitJob, folder: Path) -> Fitted:
    """Allocates, calibrates, rounds, lowers and exports until the files meet the budget and use it.

    Args:
        job: Ranked and priced.
        folder: Where the model files go.

    Raises:
        BudgetError: The budget is infeasible.
    """

    def write(request: FitRequest, surplus: int) -> tuple[Fitted, int]:
        return _write(replace(job, request=request), folder, surplus)

    return meet_budget(job.request, job.limits, write, largest=False, foresee=partial(divided_surplus, job))


def _budget(job: FitJob) -> int | None:
    budget = job.request.allocation.budget
    return None if budget is None else int(budget)


def allocated(job: FitJob) -> tuple[Program, int]:
    """A program with schemes in its metadata, and the bytes predicted for it.

    Args:
        job: Ranked and priced.

    Raises:
        BudgetError: The budget is infeasible.
    """
    step = allocation_pass(job)
    program = run_passes(job.prepared.program, (step,))
    return program, predicted_bytes(job.prepared, program, step)


def rounded(job: FitJob, surplus: int = 0) -> tuple[Program, AllocateBits]:
    """Graphs with schemes, quantized weights and activation qparams in their metadata; the pass that chose the widths.

    Nothing is written, so that every width of 32 is there.

    Args:
        job: Ranked and priced.
        surplus: Bytes that the last written files had more than was predicted for them.

    Raises:
        BudgetError: The budget is infeasible.
        QuantizationError: A weight cannot be quantized as its scheme says.
    """
    step = allocation_pass(job, surplus)
    program = run_passes(job.prepared.program, (step, calibration(job)), job.request.dump("quantize"))
    tables = trellis_tables(job, program)
    found = round_in_sequence(job, program, tables) if job.request.sequential else Sequenced({}, {})
    program = run_passes(program, rounding(job, found, tables), job.request.dump("round"))
    if job.prepared.speech.lies_in_files:
        lay_aside(program)
    return program, step


def calibration(job: FitJob) -> Pass:
    """The pass that finds scales."""
    request, measured = job.request, job.measurements
    return Calibrate(
        request.calibration,
        request.activation_bits,
        request.activation_ranges,
        measured.statistics,
        measured.rows,
        dynamic=request.integer_layers,
    )


def rounding(job: FitJob, found: Sequenced, tables: Tables = NO_TABLES) -> tuple[Pass, ...]:
    """The passes that write codes, those of a sequence among them, and make up for mean errors."""
    measured = job.measurements
    weights = RoundWeights(
        grams=measured.grams, known=found.weights, tables=tables, importance=measured.importance if tables else {}
    )
    return (weights, CorrectBiases(found.mean_errors)) if job.request.sequential else (weights,)


def _write(job: FitJob, folder: Path, surplus: int) -> tuple[Fitted, int]:
    """One attempt: what was written, and the bytes that the size rule predicted for it."""
    request, (program, step) = job.request, rounded(job, surplus)
    lowered = run_passes(program, (LowerToQDQ(),), request.dump("qdq"))
    models = request.layout.paths(folder, lowered.graphs)
    files = write_program(lowered, job.prepared.signatures, request.opset, models, kept_floats(program))
    scheme, expected = read_scheme(program, request.activation_bits), expectation(job.prepared, program, step)
    fitted = Fitted(program, scheme, folder, models, files, _budget(job), expected)
    return fitted, predicted_bytes(job.prepared, program, step)


def kept_floats(program: Program) -> frozenset[str]:
    """Stored names of the weights that the scheme keeps at 32 bits."""
    names = set()
    for name, scheme in read_scheme(program).layers.items():
        kept = [f"{name}.weight_block{i}" for i, b in enumerate(scheme.blocks) if b.spec.bits == FLOAT_BITS]
        names.update([f"{name}.weight"] if len(kept) == len(scheme.blocks) else kept)
    return frozenset(names)
