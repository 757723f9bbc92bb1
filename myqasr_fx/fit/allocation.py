"""From the options of a run to the allocation problem that the passes solve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from myqasr_fx.export.file_size import Storage, file_size
from myqasr_fx.fit.damage_table import GROUP_SIZES, group_choices
from myqasr_fx.fit.layer_requests import granularity_of, int8_layers
from myqasr_fx.measure.observe import Calibration
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.options.config import Budget, QuantizeConfig
from passes.allocation.allocate_bits import AllocateBits, Override, allocation_items, allocation_problem, read_scheme
from passes.allocation.choice import Choice, Choices
from passes.allocation.optimal import expected_bound
from passes.allocation.problem import Problem, Request
from passes.allocation.size_rule import Item, PaperSize, SizeRule
from passes.base import Program
from passes.numbers.scheme import Granularity, WeightSpec


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
    widest = Granularity("group", max(GROUP_SIZES))
    grouped = config.allocation == "optimal" and _common(config).kind == "group"
    problem = _problem(prepared, config, _rule(prepared, config, 0, widest if grouped else _common(config)))
    lowest = min(problem.rungs)
    smallest = problem.rule.size(problem.items, {i.name: problem.fixed.get(i.name, lowest) for i in problem.items})
    if smallest > budget:
        raise problem.too_small(smallest)


def allocation_pass(prepared: Prepared, calibration: Calibration, config: QuantizeConfig, surplus: int) -> AllocateBits:
    """The pass that gives every weight its width.

    Args:
        prepared: The canonical program.
        calibration: Holds the damage that the ``optimal`` allocation weighs against bytes.
        config: Resolved options.
        surplus: Bytes that the last written files had more than was predicted for them.
    """
    return AllocateBits(
        _rule(prepared, config, surplus, _common(config)),
        request(prepared, config),
        _common(config),
        config.symmetric,
        overrides(prepared, config),
        config.rounding,
        _choices(prepared, calibration, config, surplus),
    )


def predicted_bytes(prepared: Prepared, program: Program, step: AllocateBits) -> int:
    """Bytes that the rule of ``step`` predicts for what it chose for ``program``."""
    total = step.rule.fixed
    for item, spec in _specs(prepared, program, step):
        chosen = [choice for choice in step.choices.get(item.name, ()) if _is(choice, spec)]
        total += chosen[0].size if chosen else step.rule.bytes_of(item, spec.bits)
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


def expectation(prepared: Prepared, program: Program, step: AllocateBits) -> Expectation | None:
    """What ``step`` expects of what it chose for ``program``; None where it weighs no damage."""
    if not step.choices:
        return None
    layers: dict[str, float] = {}
    for item, spec in _specs(prepared, program, step):
        chosen = [choice for choice in step.choices[item.name] if _is(choice, spec)]
        layers[item.layer] = layers.get(item.layer, 0.0) + sum(choice.damage for choice in chosen[:1])
    problem = allocation_problem(prepared.program, step.rule, step.request, step.overrides)
    return Expectation(layers, expected_bound(replace(problem, choices=step.choices)))


def _specs(prepared: Prepared, program: Program, step: AllocateBits) -> Iterator[tuple[Item, WeightSpec]]:
    """Every item with what the scheme of ``program`` chose for it."""
    scheme = read_scheme(program)
    for item in allocation_items(prepared.program, split=step.rule.is_file):
        blocks = scheme.layers[item.layer].blocks
        yield item, next(block.spec for block in blocks if block.start <= item.start < block.stop)


def _is(choice: Choice, spec: WeightSpec) -> bool:
    return choice.bits == spec.bits and (spec.is_float or choice.granularity == spec.granularity)


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
        spread=config.max_spread,
    )


def overrides(prepared: Prepared, config: QuantizeConfig) -> dict[str, Override]:
    """What differs for each layer that a rule matches or that integer kernels run."""
    found, integer = {}, int8_layers(prepared, config)
    for layer in prepared.layers:
        rule = config.rule_for(layer.name)
        if rule is not None and layer.weight is not None:
            special = rule.granularity is not None or layer.name in integer
            granularity = granularity_of(prepared, config, layer.name) if special else None
            reason = "kept by a rule" if rule.keep else None
            found[layer.name] = Override(rule.bits or rule.keep, granularity, reason, rule.rounding)
        elif layer.name in integer:
            found[layer.name] = Override(granularity=granularity_of(prepared, config, layer.name))
    return found


def _common(config: QuantizeConfig) -> Granularity:
    return Granularity.parse(config.granularity)


def _problem(prepared: Prepared, config: QuantizeConfig, rule: SizeRule) -> Problem:
    return allocation_problem(prepared.program, rule, request(prepared, config), overrides(prepared, config))


def _rule(prepared: Prepared, config: QuantizeConfig, surplus: int, common: Granularity) -> SizeRule:
    if config.budget.kind == "paper":
        return PaperSize()
    special = overrides(prepared, config)
    each = {layer.name: special.get(layer.name, Override()).granularity or common for layer in prepared.layers}
    items = allocation_items(prepared.program, split=True)
    storage = Storage(config.symmetric, config.opset, config.activations == "int8", int8_layers(prepared, config))
    return file_size(prepared.program, items, each, storage, surplus)


def _choices(prepared: Prepared, calibration: Calibration, config: QuantizeConfig, surplus: int) -> Choices:
    """Real bytes and expected damage of every way to store every item; none for methods that do not weigh them."""
    if config.allocation != "optimal":
        return {}
    rules: dict[Granularity, SizeRule] = {}
    found: dict[str, tuple[Choice, ...]] = {}
    for item in allocation_items(prepared.program, split=True):
        choices = []
        for group in group_choices(prepared, config, item.layer):
            if group not in rules:
                rules[group] = _rule(prepared, config, surplus, group)
            rule = rules[group]
            for bits in rule.ladder:
                nats = calibration.damages[item.name, bits, group]
                choices.append(Choice(bits, group, rule.bytes_of(item, bits), nats))
        found[item.name] = tuple(choices)
    return found
