"""What widths cost: the paper's count of weight bits, its code's of all parameters, or the bytes of the exported files.

All count in bytes. :class:`PaperSize` is the paper's size times 1024**2, :class:`ParameterSize` what its code counts.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

from passes.errors import AllocationError
from passes.numbers.scheme import FLOAT_BITS, HALF_BITS, MAX_PACKED_BITS


@dataclass(frozen=True, slots=True)
class Item:
    """What gets one width: a layer, or a block of its rows.

    Args:
        name: Unique; the layer's own name when the item is the whole layer.
        layer: Name of the layer.
        start: First row.
        rows: Number of rows.
        cols: Weights of a row.
        sensitivity: Of the layer; larger is more sensitive.
    """

    name: str
    layer: str
    start: int
    rows: int
    cols: int
    sensitivity: float = 0.0

    def __post_init__(self) -> None:
        if self.start < 0 or self.rows < 1 or self.cols < 1:
            raise AllocationError(f"item {self.name}: {self.rows} rows of {self.cols} weights from row {self.start}")
        if math.isnan(self.sensitivity):
            raise AllocationError(f"item {self.name}: its sensitivity is NaN", hint="check the model's activations")

    @property
    def num_weights(self) -> int:
        """Weights in all rows."""
        return self.rows * self.cols


class SizeRule(ABC):
    """Price of every width; ``ladder`` holds the widths that may be assigned, widest first."""

    __slots__ = ()
    ladder: ClassVar[tuple[int, ...]]
    is_file: ClassVar[bool]
    """True when bytes are those of a file: large layers are split into rows and bytes are filled."""

    @property
    @abstractmethod
    def fixed(self) -> float:
        """Bytes that no width changes."""

    @abstractmethod
    def bytes_of(self, item: Item, bits: float) -> float:
        """Bytes of ``item`` at ``bits``."""

    def size(self, items: Iterable[Item], widths: Mapping[str, int]) -> float:
        """Bytes of the model when each item has the width under its name."""
        return self.fixed + sum(self.bytes_of(item, widths[item.name]) for item in items)

    def check_width(self, bits: int, what: str) -> None:
        """Refuses a width that is not on the ladder.

        Raises:
            AllocationError: Naming the nearest width.
        """
        if bits not in self.ladder:
            nearest = min(self.ladder, key=lambda rung: (abs(rung - bits), rung))
            raise AllocationError(f"{what}: {bits} bits", hint=f"the nearest choice is {nearest}")


@dataclass(frozen=True, slots=True)
class PaperSize(SizeRule):
    """The paper's size: ``sum_l (b_l / 8) * |W_l|``, weights and nothing else.

    Source: Fish, Michieli, Ozay, Interspeech 2023, Algorithm 1 (there divided by 1024**2).
    """

    ladder: ClassVar[tuple[int, ...]] = tuple(range(FLOAT_BITS, 0, -1))
    is_file: ClassVar[bool] = False

    @property
    def fixed(self) -> float:
        """Nothing."""
        return 0.0

    def bytes_of(self, item: Item, bits: float) -> float:
        """Exact: an eighth of a whole number."""
        return item.num_weights * bits / 8


@dataclass(frozen=True, slots=True)
class ParameterSize(PaperSize):
    """The published code's size: weights at their widths, all other parameters at 32 bits.

    Args:
        others: Parameters that are no weights of layers: biases, norms, tables of positions.
    """

    others: int = 0

    @property
    def fixed(self) -> float:
        """Bytes of the others."""
        return self.others * FLOAT_BITS / 8


@dataclass(frozen=True, slots=True)
class FileSize(SizeRule):
    """Bytes that the exported files will have.

    Args:
        table: Item name to width, or average width of a trellis, to bytes: packed codes, scales, zero points, padding
            and graph nodes.
        fixed_bytes: Everything else in the files.
    """

    table: Mapping[str, Mapping[float, int]] = field(repr=False)
    fixed_bytes: int = 0
    ladder: ClassVar[tuple[int, ...]] = (FLOAT_BITS, HALF_BITS, *range(MAX_PACKED_BITS, 0, -1))
    is_file: ClassVar[bool] = True

    def __post_init__(self) -> None:
        frozen = {name: MappingProxyType(dict(row)) for name, row in self.table.items()}
        object.__setattr__(self, "table", MappingProxyType(frozen))

    @property
    def fixed(self) -> float:
        """Bytes outside the table."""
        return self.fixed_bytes

    def bytes_of(self, item: Item, bits: float) -> float:
        """Looks the item up.

        Raises:
            AllocationError: The table does not know the item or the width.
        """
        row = self.table.get(item.name)
        if row is None or bits not in row:
            known = "no such item" if row is None else f"widths {sorted(row)}"
            raise AllocationError(f"no file size for {item.name} at {bits} bits: {known}")
        return row[bits]
