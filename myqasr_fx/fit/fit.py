"""Fits a model to a budget: solves, rounds, writes, measures what was written, and solves again when it missed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from myqasr_fx.bundle.layout import LAYOUTS
from myqasr_fx.errors import BudgetError
from myqasr_fx.export.files import model_bytes, write_program
from myqasr_fx.fit.allocation import Expectation, allocation_pass, budget_bytes, expectation, predicted_bytes
from myqasr_fx.fit.layer_requests import int8_layers
from myqasr_fx.fit.sequential import SEQUENCE_CLIPS, round_in_sequence
from myqasr_fx.measure.observe import Calibration
from myqasr_fx.measure.ranking import forced_clips
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.process.progress import Progress, Silent
from passes.allocation.allocate_bits import AllocateBits, read_scheme
from passes.base import Fact, Program
from passes.calibration.calibrate import Calibrate
from passes.lowering.lower_qdq import LowerToQDQ
from passes.manager.manager import PassManager
from passes.numbers.scheme import FLOAT_BITS, BitScheme
from passes.rounding.correct_biases import CorrectBiases
from passes.rounding.round_floats import RoundFloats
from passes.rounding.round_weights import RoundWeights
from passes.sensitivity.rank_sensitivity import RankSensitivity

_LOG = logging.getLogger(__name__)

ATTEMPTS = 4
"""Files written at most: the first measures the text around the payload, the others are exact to a few bytes."""

SPARE = 0.002
"""Share of the budget that may stay unused because of a wrong estimate."""

SPARE_BYTES = 4096
"""The same for models so small that the text of the graph outweighs the weights."""


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
    """

    program: Program
    scheme: BitScheme
    folder: Path
    models: Mapping[str, Path]
    files: tuple[Path, ...]
    budget_bytes: int | None
    expectation: Expectation | None = None

    @property
    def model_bytes(self) -> int:
        """Bytes on the disk."""
        return model_bytes(self.files)


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """The arguments of :func:`fit`, without the folder."""

    prepared: Prepared
    calibration: Calibration
    config: QuantizeConfig
    progress: Progress = field(default_factory=Silent)


def fit(
    prepared: Prepared,
    calibration: Calibration,
    config: QuantizeConfig,
    folder: Path,
    progress: Progress | None = None,
) -> Fitted:
    """Allocates, calibrates, rounds, lowers and exports until the files meet the budget and use it.

    Args:
        prepared: The canonical program.
        calibration: What the clips told.
        config: Resolved options.
        folder: Where the model files go.
        progress: Told about every layer that is rounded in sequence.

    Raises:
        BudgetError: The budget is infeasible.
    """
    _rank(prepared, calibration, config)
    job = _Job(prepared, calibration, config, progress or Silent())
    budget = budget_bytes(config.budget, prepared.num_weights)
    if budget is None or config.budget.kind == "paper":
        return _write(job, folder, 0)[0]
    surplus, fits, tried = 0, None, _quickly(config)
    for attempt in range(1, ATTEMPTS + 1):
        draft = tried != config
        fitted, predicted = _write(replace(job, config=tried), folder, surplus)
        error = fitted.model_bytes - predicted
        _LOG.info("attempt %d: predicted %d bytes, wrote %d", attempt, predicted, fitted.model_bytes)
        if fitted.model_bytes <= budget:
            fits = surplus
            if -error <= max(SPARE * budget, SPARE_BYTES):
                if not draft:
                    return fitted
                tried = config  # the same widths, rounded for good
                continue
        surplus += error
    if fitted.model_bytes <= budget and not draft:
        return fitted
    return _settled(job, folder, fits, fitted.model_bytes)


def _settled(job: _Job, folder: Path, surplus: int | None, smallest: int) -> Fitted:
    """The files of the last attempt that met the budget, written again.

    Args:
        job: As in :func:`fit`.
        folder: Where the model files go.
        surplus: Of that attempt; None when there was none.
        smallest: Bytes of the last attempt.

    Raises:
        BudgetError: No attempt met the budget, or this one does not.
    """
    budget = budget_bytes(job.config.budget, job.prepared.num_weights) or 0
    if surplus is None:
        raise BudgetError(
            f"a budget of {budget:,} bytes is infeasible: the smallest files found take {smallest:,} bytes",
            hint="raise the budget",
        )
    fitted = _write(job, folder, surplus)[0]
    if fitted.model_bytes > budget:
        raise BudgetError(
            f"the files take {fitted.model_bytes:,} bytes, more than the {budget:,} allowed", hint="raise the budget"
        )
    return fitted


def _quickly(config: QuantizeConfig) -> QuantizeConfig:
    """The same, rounded to nearest: how codes are chosen changes no bytes."""
    rules = tuple(replace(rule, rounding="rtn") if rule.rounding else rule for rule in config.rules)
    return replace(config, rounding="rtn", sequential=False, rules=rules)


def allocate(prepared: Prepared, calibration: Calibration, config: QuantizeConfig) -> tuple[Program, int]:
    """Ranks and allocates only: a program with schemes in its metadata, and the bytes predicted for it.

    Args:
        prepared: The canonical program, which is ranked.
        calibration: What the clips told.
        config: Resolved options.

    Raises:
        BudgetError: The budget is infeasible.
    """
    _rank(prepared, calibration, config)
    program = prepared.program.clone()
    step = allocation_pass(prepared, calibration, config, 0)
    PassManager((step,), _RANKED)(program)
    return program, predicted_bytes(prepared, program, step)


def fit_in_torch(prepared: Prepared, calibration: Calibration, config: QuantizeConfig) -> Program:
    """Ranks, allocates by predicted bytes, calibrates and rounds; writes nothing, so that every width of 32 is there.

    Args:
        prepared: The canonical program, which is ranked.
        calibration: What the clips told.
        config: Resolved options.

    Returns:
        Graphs with schemes, quantized weights and activation qparams in their metadata.

    Raises:
        BudgetError: The budget is infeasible.
    """
    _rank(prepared, calibration, config)
    program = prepared.program.clone()
    _quantize(_Job(prepared, calibration, config), program)
    return program


def _rank(prepared: Prepared, calibration: Calibration, config: QuantizeConfig) -> None:
    passes = (RankSensitivity(calibration.statistics, config.sensitivity), RoundFloats())
    dump = config.dump_ir
    PassManager(passes, _CANONICAL, dump and dump / "rank")(prepared.program)


_CANONICAL = frozenset({Fact.CANONICAL})
_RANKED = _CANONICAL | {Fact.SENSITIVITY}
_CALIBRATED = _RANKED | {Fact.SCHEME, Fact.QPARAMS}
_ROUNDED = frozenset({Fact.CANONICAL, Fact.ROUNDED})


def _write(job: _Job, folder: Path, surplus: int) -> tuple[Fitted, int]:
    """One attempt: what was written, and the bytes that the size rule predicted for it."""
    prepared, config = job.prepared, job.config
    rounded = prepared.program.clone()
    step = _quantize(job, rounded, surplus)
    lowered = rounded.clone()
    dump = config.dump_ir
    PassManager((LowerToQDQ(),), _ROUNDED, dump and dump / "qdq")(lowered)
    models = LAYOUTS[config.layout].paths(folder, lowered.graphs)
    files = write_program(lowered, prepared.signatures, config.opset, models, _kept_floats(rounded))
    budget = budget_bytes(config.budget, prepared.num_weights)
    scheme, expected = read_scheme(rounded, _activation_bits(config)), expectation(prepared, rounded, step)
    fitted = Fitted(rounded, scheme, folder, models, files, budget, expected)
    return fitted, predicted_bytes(prepared, rounded, step)


def _quantize(job: _Job, program: Program, surplus: int = 0) -> AllocateBits:
    """Annotates the program with quantized weights; the pass that chose their widths."""
    prepared, calibration, config = job.prepared, job.calibration, job.config
    step, dump = allocation_pass(prepared, calibration, config, surplus), config.dump_ir
    scales = Calibrate(
        config.calibration,
        _activation_bits(config),
        config.activation_ranges,
        calibration.statistics,
        calibration.samples,
        dynamic=int8_layers(prepared, config),
    )
    if not config.sequential:
        passes = (step, scales, RoundWeights(grams=calibration.grams))
        PassManager(passes, _RANKED, dump and dump / "quantize")(program)
        return step
    PassManager((step, scales), _RANKED, dump and dump / "quantize")(program)
    clips = forced_clips(prepared.speech, calibration, SEQUENCE_CLIPS)
    found = round_in_sequence(prepared, program, calibration, clips, job.progress)
    rounding = RoundWeights(grams=calibration.grams, known=found.weights)
    PassManager((rounding, CorrectBiases(found.mean_errors)), _CALIBRATED, dump and dump / "round")(program)
    return step


def _activation_bits(config: QuantizeConfig) -> int | None:
    return config.activation_bits if config.activations == "int8" else None


def _kept_floats(program: Program) -> frozenset[str]:
    """Stored names of the weights that the scheme keeps at 32 bits."""
    names = set()
    for name, scheme in read_scheme(program).layers.items():
        kept = [f"{name}.weight_block{i}" for i, b in enumerate(scheme.blocks) if b.spec.bits == FLOAT_BITS]
        names.update([f"{name}.weight"] if len(kept) == len(scheme.blocks) else kept)
    return frozenset(names)
