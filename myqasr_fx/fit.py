"""Fits a model to a budget: solves, rounds, writes, measures what was written, and solves again when it missed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from myqasr_fx.calibration import Calibration
from myqasr_fx.config import Budget, QuantizeConfig
from myqasr_fx.errors import BudgetError
from myqasr_fx.export.file_size import Storage, file_size
from myqasr_fx.export.files import model_bytes, write_program
from myqasr_fx.layout import LAYOUTS
from myqasr_fx.prepare import Prepared
from passes.allocate_bits import AllocateBits, Override, allocation_items, allocation_problem, read_scheme
from passes.allocation.problem import Problem, Request
from passes.base import Fact, Program
from passes.calibrate import Calibrate
from passes.lower_qdq import LowerToQDQ
from passes.manager import PassManager
from passes.rank_sensitivity import RankSensitivity
from passes.round_floats import RoundFloats
from passes.round_weights import RoundWeights
from passes.scheme import FLOAT_BITS, BitScheme, Granularity
from passes.size_rule import PaperSize, SizeRule

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
    """

    program: Program
    scheme: BitScheme
    folder: Path
    models: Mapping[str, Path]
    files: tuple[Path, ...]
    budget_bytes: int | None

    @property
    def model_bytes(self) -> int:
        """Bytes on the disk."""
        return model_bytes(self.files)


def budget_bytes(budget: Budget, num_weights: int) -> int | None:
    """Bytes that ``budget`` allows a model of ``num_weights`` weights; None for one width for everything."""
    if budget.avg_bits is not None:
        return int(budget.avg_bits * num_weights / 8)
    return budget.bytes


def check_feasible(prepared: Prepared, config: QuantizeConfig) -> None:
    """Refuses a budget that no widths meet, before any work.

    Raises:
        BudgetError: Naming the smallest feasible size.
    """
    budget = budget_bytes(config.budget, prepared.num_weights)
    if budget is None:
        return
    problem = _problem(prepared, config, _rule(prepared, config, 0))
    lowest = min(problem.rungs)
    smallest = problem.rule.size(problem.items, {i.name: problem.fixed.get(i.name, lowest) for i in problem.items})
    if smallest > budget:
        raise problem.too_small(smallest)


def fit(prepared: Prepared, calibration: Calibration, config: QuantizeConfig, folder: Path) -> Fitted:
    """Allocates, calibrates, rounds, lowers and exports until the files meet the budget and use it.

    Args:
        prepared: The canonical program.
        calibration: What the clips told.
        config: Resolved options.
        folder: Where the model files go.

    Raises:
        BudgetError: The budget is infeasible.
    """
    _rank(prepared, calibration, config)
    budget = budget_bytes(config.budget, prepared.num_weights)
    if budget is None or config.budget.kind == "paper":
        return _write(prepared, calibration, config, folder, 0)[0]
    surplus, fits = 0, None
    for attempt in range(1, ATTEMPTS + 1):
        fitted, predicted = _write(prepared, calibration, config, folder, surplus)
        error = fitted.model_bytes - predicted
        _LOG.info("attempt %d: predicted %d bytes, wrote %d", attempt, predicted, fitted.model_bytes)
        if fitted.model_bytes <= budget:
            if -error <= max(SPARE * budget, SPARE_BYTES):
                return fitted
            fits = surplus
        surplus += error
    if fitted.model_bytes <= budget:
        return fitted
    if fits is None:
        raise BudgetError(
            f"a budget of {budget:,} bytes is infeasible: the smallest files found take {fitted.model_bytes:,} bytes",
            hint="raise the budget",
        )
    return _write(prepared, calibration, config, folder, fits)[0]


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
    rule = _rule(prepared, config, 0)
    PassManager((_allocation(prepared, config, rule),), _CANONICAL | {Fact.SENSITIVITY})(program)
    return program, _predicted(prepared, program, config, rule)


def _rank(prepared: Prepared, calibration: Calibration, config: QuantizeConfig) -> None:
    passes = (RankSensitivity(calibration.statistics, config.sensitivity), RoundFloats())
    dump = config.dump_ir
    PassManager(passes, _CANONICAL, dump and dump / "rank")(prepared.program)


_CANONICAL = frozenset({Fact.CANONICAL})
_ROUNDED = frozenset({Fact.CANONICAL, Fact.ROUNDED})


def _write(
    prepared: Prepared, calibration: Calibration, config: QuantizeConfig, folder: Path, surplus: int
) -> tuple[Fitted, int]:
    """One attempt: what was written, and the bytes that the size rule predicted for it."""
    rule = _rule(prepared, config, surplus)
    rounded = prepared.program.clone()
    predicted = _quantize(prepared, rounded, calibration, config, rule)
    lowered = rounded.clone()
    dump = config.dump_ir
    PassManager((LowerToQDQ(),), _ROUNDED, dump and dump / "qdq")(lowered)
    models = LAYOUTS[config.layout].paths(folder, lowered.graphs)
    files = write_program(lowered, prepared.signatures, config.opset, models, _kept_floats(rounded))
    budget = budget_bytes(config.budget, prepared.num_weights)
    return Fitted(rounded, read_scheme(rounded, _activation_bits(config)), folder, models, files, budget), predicted


def _quantize(
    prepared: Prepared, program: Program, calibration: Calibration, config: QuantizeConfig, rule: SizeRule
) -> int:
    """Annotates the program with quantized weights; the bytes that ``rule`` predicts."""
    passes = (
        _allocation(prepared, config, rule),
        Calibrate(config.calibration, _activation_bits(config), False, calibration.statistics, calibration.samples),
        RoundWeights(grams=calibration.grams),
    )
    dump = config.dump_ir
    PassManager(passes, _CANONICAL | {Fact.SENSITIVITY}, dump and dump / "quantize")(program)
    return _predicted(prepared, program, config, rule)


def _allocation(prepared: Prepared, config: QuantizeConfig, rule: SizeRule) -> AllocateBits:
    return AllocateBits(
        rule,
        request(prepared, config),
        Granularity.parse(config.granularity),
        config.symmetric,
        overrides(prepared, config),
        config.rounding,
    )


def _predicted(prepared: Prepared, program: Program, config: QuantizeConfig, rule: SizeRule) -> int:
    """Bytes that ``rule`` predicts for the widths that ``program`` carries."""
    problem = _problem(prepared, config, rule)
    scheme = read_scheme(program)
    widths = {item.name: _width_at(scheme, item.layer, item.start) for item in problem.items}
    return int(rule.size(problem.items, widths))


def _width_at(scheme: BitScheme, layer: str, row: int) -> int:
    return next(b.spec.bits for b in scheme.layers[layer].blocks if b.start <= row < b.stop)


def request(prepared: Prepared, config: QuantizeConfig) -> Request:
    """What the allocation is asked for."""
    return Request(
        method=config.allocation,
        budget=budget_bytes(config.budget, prepared.num_weights),
        uniform_bits=config.budget.uniform_bits,
        order=config.order,
        seed=config.seed,
        min_bits=config.min_bits,
        max_bits=config.max_bits,
        fill=config.fill,
    )


def overrides(prepared: Prepared, config: QuantizeConfig) -> dict[str, Override]:
    """What the rules say about each layer they match."""
    found = {}
    for layer in prepared.layers:
        rule = config.rule_for(layer.name)
        if rule is not None and layer.weight is not None:
            granularity = None if rule.granularity is None else Granularity.parse(rule.granularity)
            reason = "kept by a rule" if rule.keep else None
            found[layer.name] = Override(rule.bits or rule.keep, granularity, reason, rule.rounding)
    return found


def _problem(prepared: Prepared, config: QuantizeConfig, rule: SizeRule) -> Problem:
    return allocation_problem(prepared.program, rule, request(prepared, config), overrides(prepared, config))


def _rule(prepared: Prepared, config: QuantizeConfig, surplus: int) -> SizeRule:
    if config.budget.kind == "paper":
        return PaperSize()
    common = Granularity.parse(config.granularity)
    special = overrides(prepared, config)
    each = {layer.name: special.get(layer.name, Override()).granularity or common for layer in prepared.layers}
    items = allocation_items(prepared.program, split=True)
    storage = Storage(config.symmetric, config.opset, config.activations == "int8")
    return file_size(prepared.program, items, each, storage, surplus)


def _activation_bits(config: QuantizeConfig) -> int | None:
    return config.activation_bits if config.activations == "int8" else None


def _kept_floats(program: Program) -> frozenset[str]:
    """Stored names of the weights that the scheme keeps at 32 bits."""
    names = set()
    for name, scheme in read_scheme(program).layers.items():
        kept = [f"{name}.weight_block{i}" for i, b in enumerate(scheme.blocks) if b.spec.bits == FLOAT_BITS]
        names.update([f"{name}.weight"] if len(kept) == len(scheme.blocks) else kept)
    return frozenset(names)
