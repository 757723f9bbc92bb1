"""AllocateBits: a width for every weight, so that the model fits.

Before: nodes that carry their layer's name and sensitivity.
After: ``meta.SCHEME`` (:class:`~passes.numbers.scheme.LayerScheme`) on every use of every layer with a weight.
Attention products hold no weight and get none.

The methods live in ``passes/allocation`` and know no graphs; this pass turns layers into items and widths into blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import ClassVar

from passes.allocation.allocate import allocate
from passes.allocation.choice import Choices
from passes.allocation.items import make_items
from passes.allocation.problem import Allocation, Problem, Request
from passes.allocation.size_rule import Item, SizeRule
from passes.base import Fact, Program, ProgramPass
from passes.errors import AllocationError
from passes.graph import meta
from passes.graph.layers import Layer, find_layers, nodes_of
from passes.numbers.scheme import BitScheme, Granularity, LayerScheme, NumberFormat, RowBlock, weight_spec


@dataclass(frozen=True, slots=True)
class Override:
    """What differs for one layer.

    Args:
        bits: Its width, whatever the allocation would choose.
        granularity: Instead of the common one.
        reason: Why it stays in float, for the report, when ``bits`` is 16 or 32.
        rounding: Name in the rounding registry, instead of the common one.
        format: Of its codes, instead of the common one.
    """

    bits: int | None = None
    granularity: Granularity | None = None
    reason: str | None = None
    rounding: str | None = None
    format: NumberFormat | None = None


@dataclass(frozen=True, slots=True)
class AllocateBits(ProgramPass):
    """Writes the scheme of every layer with a weight.

    Args:
        rule: What widths cost.
        request: Method, budget and bounds.
        granularity: Weights that share a scale.
        symmetric: No zero points.
        overrides: Layer name to what differs for it.
        rounding: Name in the rounding registry.
        format: Of the codes of all layers that have no other; widths that a trellis lacks stay affine.
        choices: Item name to the ways to store it; only the ``optimal`` method looks at them.
    """

    rule: SizeRule
    request: Request
    granularity: Granularity
    symmetric: bool = False
    overrides: Mapping[str, Override] = field(default_factory=dict)
    rounding: str = "rtn"
    format: NumberFormat = "affine"
    choices: Choices = field(default_factory=dict, repr=False)

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL, Fact.SENSITIVITY})
    provides: ClassVar[frozenset[Fact]] = frozenset({Fact.SCHEME})

    def run(self, program: Program) -> bool:
        """Solves the allocation and annotates every use of every layer with a weight.

        Raises:
            AllocationError: The request cannot be met, or an override names no layer.
        """
        modified = False
        for layer, scheme in self.schemes(program):
            for _, node in nodes_of(program, layer):
                modified |= meta.put(node, meta.SCHEME, scheme)
        return modified

    def schemes(self, program: Program) -> list[tuple[Layer, LayerScheme]]:
        """What :meth:`run` writes at the uses of every layer with a weight; ``program`` stays as it is.

        Raises:
            AllocationError: As :meth:`run`.
        """
        problem = allocation_problem(program, self.rule, self.request, self.overrides)
        allocation = allocate(replace(problem, choices=self.choices))
        items = {layer: list(own) for layer, own in groupby(problem.items, lambda item: item.layer)}
        layers = [layer for layer in find_layers(program) if layer.weight is not None]
        return [(layer, self._scheme(layer, items[layer.name], allocation)) for layer in layers]

    def _scheme(self, layer: Layer, items: Sequence[Item], allocation: Allocation) -> LayerScheme:
        override = self.overrides.get(layer.name, Override())
        common = override.granularity or self.granularity
        blocks: list[RowBlock] = []
        for item in items:
            bits, granularity = allocation.widths[item.name], allocation.granularity.get(item.name, common)
            asked = allocation.formats.get(item.name, override.format or self.format)
            quarters = allocation.quarters.get(item.name, 0)
            spec = weight_spec(bits, granularity, self.symmetric, asked, quarters)
            start = item.start
            if blocks and blocks[-1].spec == spec:
                start = blocks.pop().start
            blocks.append(RowBlock(start, item.start + item.rows, spec))
        rounding = override.rounding or self.rounding
        scheme = LayerScheme(layer.name, tuple(blocks), rounding)
        if not scheme.is_float:
            return scheme
        reason = override.reason or ("kept by a rule" if override.bits is not None else "the budget allows it")
        return LayerScheme(layer.name, scheme.blocks, rounding, reason)


def allocation_problem(
    program: Program, rule: SizeRule, request: Request, overrides: Mapping[str, Override]
) -> Problem:
    """The problem that :class:`AllocateBits` solves; before ``RankSensitivity`` ran, with all sensitivities 0.

    Raises:
        AllocationError: An override names no layer.
    """
    layers = [layer for layer in find_layers(program) if layer.weight is not None]
    if unknown := sorted(set(overrides) - {layer.name for layer in layers}):
        raise AllocationError(f"override for {unknown[0]!r}, which is no layer with weights")
    items = allocation_items(program, split=rule.is_file)
    fixed = {}
    for item in items:
        bits = overrides[item.layer].bits if item.layer in overrides else None
        if bits is not None:
            fixed[item.name] = bits
    return Problem(items, rule, request, fixed)


def allocation_items(program: Program, *, split: bool) -> tuple[Item, ...]:
    """Items of a canonical program: what a table of file sizes has to price.

    Args:
        program: Canonical; sensitivities are read where they are known.
        split: True to cut large layers into blocks of rows, as the rules that count files do.
    """
    layers = find_layers(program)
    sensitivity = {
        str(meta.get(node, meta.LAYER)): float(value)
        for _, _, node in program.nodes()
        if (value := meta.get(node, meta.SENSITIVITY)) is not None
    }
    return make_items(layers, sensitivity, split=split)


def read_scheme(program: Program, activation_bits: int | None = None) -> BitScheme:
    """The scheme that the nodes of ``program`` carry, in network order."""
    schemes: dict[str, LayerScheme] = {}
    for _, _, node in program.nodes():
        scheme = meta.get(node, meta.SCHEME)
        if scheme is not None:
            schemes.setdefault(scheme.layer, scheme)
    return BitScheme(schemes, activation_bits)
