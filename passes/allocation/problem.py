"""What an allocation method gets and gives back."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from passes.allocation.choice import Choices
from passes.allocation.size_rule import Item, SizeRule
from passes.errors import AllocationError, BudgetError
from passes.numbers.scheme import FLOAT_BITS, Granularity, NumberFormat

Order = Literal["ascending", "descending", "shuffled"]


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks for.

    Args:
        method: Name in the allocation registry.
        budget: Bytes, as the size rule counts them.
        uniform_bits: One width for everything, instead of a budget; only for ``uniform``.
        order: Which layers lose bits first: the least sensitive (``ascending``), the most, or ``shuffled`` ones.
        seed: Of the shuffled order.
        min_bits: Narrowest width.
        max_bits: Widest width.
        fill: Give the bytes that Algorithm 1 leaves back to lowered layers; None does so when files are counted.
        spread: Most rungs between the widest and the narrowest item, for ``optimal``; None does not bound it.
    """

    method: str = "uniformity"
    budget: float | None = None
    uniform_bits: int | None = None
    order: Order = "ascending"
    seed: int = 0
    min_bits: int = 1
    max_bits: int = FLOAT_BITS
    fill: bool | None = None
    spread: int | None = None

    def __post_init__(self) -> None:
        if self.spread is not None and self.spread < 0:
            raise AllocationError(f"a spread of {self.spread} rungs", hint="0 or more")
        if self.order not in ("ascending", "descending", "shuffled"):
            raise AllocationError(f"order {self.order!r}", hint="known: ascending, descending, shuffled")
        if not 1 <= self.min_bits <= self.max_bits <= FLOAT_BITS:
            raise AllocationError(f"widths from {self.min_bits} to {self.max_bits} bits", hint="1 to 32, in this order")
        if self.budget is not None and not self.budget > 0:
            raise BudgetError(f"budget of {self.budget} bytes", hint="give a positive size")
        if self.uniform_bits is not None and self.method != "uniform":
            raise AllocationError(f"one width for everything with allocation {self.method!r}", hint="take uniform")


@dataclass(frozen=True, slots=True)
class Problem:
    """Items to assign, how they are counted, and what is asked for.

    Args:
        items: In network order.
        rule: Price of each width.
        request: What the user asks for.
        fixed: Item name to a width that no method changes.
        choices: Item name to the ways to store it; ``optimal`` alone needs them.
    """

    items: tuple[Item, ...]
    rule: SizeRule
    request: Request
    fixed: Mapping[str, int] = field(default_factory=dict)
    choices: Choices = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        names = {item.name for item in self.items}
        if len(names) != len(self.items):
            raise AllocationError("two items have one name")
        if unknown := sorted(set(self.fixed) - names):
            raise AllocationError(f"a width is fixed for {unknown[0]!r}, which is no item")
        for name, bits in self.fixed.items():
            self.rule.check_width(bits, name)
        object.__setattr__(self, "fixed", MappingProxyType(dict(self.fixed)))

    @property
    def rungs(self) -> tuple[int, ...]:
        """Widths that may be assigned, widest first.

        Raises:
            AllocationError: The size rule has none between the asked minimum and maximum.
        """
        low, high = self.request.min_bits, self.request.max_bits
        rungs = tuple(bits for bits in self.rule.ladder if low <= bits <= high)
        if not rungs:
            raise AllocationError(f"no width between {low} and {high} bits", hint=f"there are {self.rule.ladder}")
        return rungs

    @property
    def free(self) -> tuple[Item, ...]:
        """Items whose width is to be chosen, in the order in which they lose bits.

        Layers are sorted by sensitivity; equal ones stay in network order. Blocks of a layer follow each other, last
        rows first.
        """
        layers: dict[str, list[Item]] = {}
        for item in self.items:
            if item.name not in self.fixed:
                layers.setdefault(item.layer, []).append(item)
        order = list(layers.values())
        if self.request.order == "shuffled":
            random.Random(self.request.seed).shuffle(order)
        else:
            sign = 1 if self.request.order == "ascending" else -1
            order.sort(key=lambda blocks: sign * blocks[0].sensitivity)
        return tuple(item for blocks in order for item in sorted(blocks, key=lambda block: -block.start))

    def solution(self, widths: Mapping[str, int]) -> Allocation:
        """``widths`` of the free items with the fixed ones.

        Raises:
            BudgetError: They take more than the budget.
        """
        every = {item.name: self.fixed.get(item.name, widths.get(item.name, 0)) for item in self.items}
        size = self.rule.size(self.items, every)
        if self.request.budget is not None and size > self.request.budget:
            raise self.too_small(size)
        return Allocation(every, size)

    def too_small(self, smallest: float) -> BudgetError:
        """The error for a budget below ``smallest`` bytes."""
        budget = self.request.budget or 0
        lower = "" if self.request.min_bits == 1 else ", or lower the minimum width, min_bits"
        return BudgetError(
            f"a budget of {budget:,.0f} bytes is infeasible: the smallest feasible size is {smallest:,.0f} bytes "
            f"({smallest / 1e6:.2f} MB, {smallest / 2**20:.2f} MiB)",
            hint=f"raise the budget{lower}",
            over=math.ceil(smallest - budget),
        )


@dataclass(frozen=True, slots=True)
class Allocation:
    """A width for every item.

    Args:
        widths: Item name to bits.
        size: Bytes, as the size rule counts them.
        granularity: Item name to the weights that share a scale, where the method chose it.
        formats: Item name to the format of its codes, where the method chose it.
        quarters: Item name to the quarters of a bit that its trellis takes on top, where the method chose it.
        damage: Nats a position that the method expects; None when it expects nothing.
        bound: Nats that no allocation within the budget can be expected to stay below.
    """

    widths: Mapping[str, int]
    size: float
    granularity: Mapping[str, Granularity] = field(default_factory=dict)
    formats: Mapping[str, NumberFormat] = field(default_factory=dict)
    quarters: Mapping[str, int] = field(default_factory=dict)
    damage: float | None = None
    bound: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", MappingProxyType(dict(self.widths)))
        object.__setattr__(self, "granularity", MappingProxyType(dict(self.granularity)))
        object.__setattr__(self, "formats", MappingProxyType(dict(self.formats)))
        object.__setattr__(self, "quarters", MappingProxyType(dict(self.quarters)))
