"""From what is asked of the files to the allocation problem that the passes solve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from myqasr_fx.capture.canonical import CanonicalGraphs
from myqasr_fx.errors import OptionError
from myqasr_fx.export.file_size import divided_bytes, file_size
from myqasr_fx.export.text_bytes import Storage
from myqasr_fx.fit.damage_table import choices_of
from myqasr_fx.fit.job import FitJob
from myqasr_fx.fit.layer_requests import GROUP_SIZES, overrides
from myqasr_fx.fit.request import FitRequest
from myqasr_fx.process.memory import check_room
from passes.allocation.allocate import allocate
from passes.allocation.allocate_bits import AllocateBits, allocation_items, allocation_problem, read_scheme
from passes.allocation.choice import Choice, Choices
from passes.allocation.optimal import expected_bound
from passes.allocation.size_rule import FileSize, Item, PaperSize, ParameterSize, SizeRule
from passes.base import Program
from passes.numbers.scheme import MAX_PACKED_BITS, Granularity, NumberFormat, WeightSpec


def check_feasible(prepared: CanonicalGraphs, request: FitRequest) -> None:
    """Refuses a budget that no widths meet, widths that no file holds, and too little memory, before any work.

    Beside its weights a model takes as much again at least: the floats of one graph on onnxruntime, and all codes.

    Raises:
        BudgetError: Naming the smallest feasible size.
        OptionError: Naming the width, and the nearest that a file holds.
        MyqasrError: Naming the memory that is free.
    """
    check_room(f"quantizing {prepared.num_weights:,} weights", 4 * prepared.num_weights)
    if not request.counts_files:
        _check_widths(prepared, request)
    check_budget(prepared, request)


def check_budget(prepared: CanonicalGraphs, request: FitRequest) -> None:
    """Refuses a budget that no widths meet.

    Raises:
        BudgetError: Naming the smallest feasible size.
    """
    budget = request.allocation.budget
    if budget is None:
        return
    grouped = request.weighs_damage and request.granularity.kind == "group"
    widest = Granularity("group", max(GROUP_SIZES)) if grouped else request.granularity
    special = overrides(request.layers, prepared.layers, request.rounding, request.format)
    formats: set[NumberFormat] = {"affine", "trellis"} if request.weighs_damage else {request.format}
    sizes = []
    for asked in sorted(formats):
        rule = _size_rule(prepared, request, 0, (widest, asked))
        problem = allocation_problem(prepared.program, rule, request.allocation, special)
        lowest = min(problem.rungs)
        sizes.append(rule.size(problem.items, {i.name: problem.fixed.get(i.name, lowest) for i in problem.items}))
    if min(sizes) > budget:
        raise problem.too_small(min(sizes))


def _check_widths(prepared: CanonicalGraphs, request: FitRequest) -> None:
    """Solves the allocation before the layers are ranked: in which order they lose bits changes no set of widths."""
    special = overrides(request.layers, prepared.layers, request.rounding, request.format)
    rule = _size_rule(prepared, request, 0, (request.granularity, request.format))
    chosen = allocate(allocation_problem(prepared.program, rule, request.allocation, special))
    for bits in sorted(set(chosen.widths.values()) - set(FileSize.ladder)):
        nearest = min(FileSize.ladder, key=lambda rung: (abs(rung - bits), rung))
        raise OptionError(
            f"layers would get {bits} bits, which no file holds",
            hint=f"the nearest choice is {nearest}; --max-bits {MAX_PACKED_BITS} allows no wider ones, and `myqasr "
            "personalize` evaluates any width",
        )


def allocation_pass(job: FitJob, surplus: int = 0) -> AllocateBits:
    """The pass that gives every weight its width.

    Args:
        job: Ranked and priced.
        surplus: Bytes that the last written files had more than was predicted for them.
    """
    return widths_pass(job.prepared, job.request, surplus, _choices(job, surplus))


def widths_pass(
    prepared: CanonicalGraphs, request: FitRequest, surplus: int, choices: Choices = MappingProxyType({})
) -> AllocateBits:
    """The same for the graphs of any model.

    Args:
        prepared: Canonical graphs.
        request: What is asked of the files.
        surplus: As in :func:`allocation_pass`.
        choices: Bytes and damage of every way to store every item, for allocations that weigh them.
    """
    return AllocateBits(
        _size_rule(prepared, request, surplus, (request.granularity, request.format)),
        request.allocation,
        request.granularity,
        request.symmetric,
        overrides(request.layers, prepared.layers, request.rounding, request.format),
        request.rounding,
        request.format,
        choices,
    )


def divided_surplus(job: FitJob, surplus: int) -> int:
    """Bytes that files have more than is predicted for them, since layers are divided into blocks.

    Args:
        job: Ranked and priced.
        surplus: That the allocation is told.

    Raises:
        BudgetError: The budget is infeasible.
    """
    program, storage = job.prepared.program, _storage(job.request, job.request.format)
    schemes = allocation_pass(job, surplus).schemes(program)
    return divided_bytes(schemes, allocation_items(program, split=True), storage)


def predicted_bytes(prepared: CanonicalGraphs, program: Program, step: AllocateBits) -> int:
    """Bytes that the rule of ``step`` predicts for what it chose for ``program``."""
    total = step.rule.fixed
    for item, spec in _specs(prepared, program, step):
        chosen = [choice for choice in step.choices.get(item.name, ()) if _is(choice, spec)]
        total += chosen[0].size if chosen else step.rule.bytes_of(item, spec.mean_bits)
    return int(total)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an allocation expects to lose.

    Args:
        layers: Layer name to nats a position.
        bound: Nats that no choice within the budget can be expected to stay below.
    """

    layers: Mapping[str, float]
    bound: float

    @property
    def total(self) -> float:
        """Nats a position of the whole model."""
        return sum(self.layers.values())


def expectation(prepared: CanonicalGraphs, program: Program, step: AllocateBits) -> Expectation | None:
    """What ``step`` expects of what it chose for ``program``; None where it weighs no damage."""
    if not step.choices:
        return None
    layers: dict[str, float] = {}
    for item, spec in _specs(prepared, program, step):
        chosen = [choice for choice in step.choices[item.name] if _is(choice, spec)]
        layers[item.layer] = layers.get(item.layer, 0.0) + sum(choice.damage for choice in chosen[:1])
    problem = allocation_problem(prepared.program, step.rule, step.request, step.overrides)
    return Expectation(layers, expected_bound(replace(problem, choices=step.choices)))


def _specs(prepared: CanonicalGraphs, program: Program, step: AllocateBits) -> Iterator[tuple[Item, WeightSpec]]:
    """Every item with what the scheme of ``program`` chose for it."""
    scheme = read_scheme(program)
    for item in allocation_items(prepared.program, split=step.rule.is_file):
        blocks = scheme.layers[item.layer].blocks
        yield item, next(block.spec for block in blocks if block.start <= item.start < block.stop)


def _is(choice: Choice, spec: WeightSpec) -> bool:
    same = (choice.granularity, choice.format, choice.quarters) == (spec.granularity, spec.format, spec.quarters)
    return choice.bits == spec.bits and (spec.is_float or same)


def _size_rule(
    prepared: CanonicalGraphs, request: FitRequest, surplus: int, how: tuple[Granularity, NumberFormat]
) -> SizeRule:
    """Prices of widths, where ``how`` is the granularity and the format of all layers without one of their own."""
    if not request.counts_files:
        return PaperSize() if request.others is None else ParameterSize(request.others)
    common, asked = how
    each = {name: layer.granularity if layer.special else common for name, layer in request.layers.items()}
    items = allocation_items(prepared.program, split=True)
    return file_size(prepared.program, items, each, _storage(request, asked), surplus)


def _storage(request: FitRequest, asked: NumberFormat) -> Storage:
    integer = request.activation_bits is not None
    strings = request.trellis_layers if asked == "trellis" else frozenset[str]()
    return Storage(request.symmetric, request.opset, integer, request.integer_layers, strings, request.codes_tables)


def _choices(job: FitJob, surplus: int) -> Choices:
    """Real bytes and expected damage of every way to store every item; none for methods that do not weigh them."""
    if not job.request.weighs_damage:
        return {}
    rules: dict[tuple[Granularity, NumberFormat], SizeRule] = {}
    found: dict[str, tuple[Choice, ...]] = {}
    for item in allocation_items(job.prepared.program, split=True):
        choices, layer = [], job.request.layers[item.layer]
        for spec in choices_of(layer, job.request):
            # Floats cost the same in every rule: their own granularity may be one that integer kernels cannot have.
            how = (layer.granularities[0], layer.formats[0]) if spec.is_float else (spec.granularity, spec.format)
            if how not in rules:
                rules[how] = _size_rule(job.prepared, job.request, surplus, how)
            nats = job.damages[item.name, spec]
            size = rules[how].bytes_of(item, spec.mean_bits)
            choices.append(Choice(spec.bits, spec.granularity, size, nats, spec.format, spec.quarters))
        found[item.name] = tuple(choices)
    return found
