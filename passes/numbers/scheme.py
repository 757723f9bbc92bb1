"""What to quantize and to what: frozen values that travel between the passes.

A *layer* is one weight tensor and every node that uses it, seen as a matrix of ``rows`` output channels by ``cols``
inputs. A :class:`BitScheme` gives each layer one or more :class:`RowBlock` s, which together cover its rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from passes.errors import QuantizationError

FLOAT_BITS = 32
"""Width of a weight that is not quantized."""

HALF_BITS = 16
"""Width of a weight kept as IEEE float16."""

MAX_PACKED_BITS = 8
"""Widest integer code that an exported file can hold."""

TRELLIS_BITS = (6, 5, 4, 3, 2, 1)
"""Widths that a trellis takes; above them its levels of 8 bits are too coarse."""

TRELLIS_STEPS = ((6, 0), *((bits, quarters) for bits in (5, 4, 3, 2) for quarters in (3, 2, 1, 0)), (1, 0))
"""Bits and quarters that a trellis takes on average over its inputs, of which each has a width of its own."""

NumberFormat = Literal["affine", "trellis"]
"""Codes that are evenly spaced levels (``passes.numbers.affine``), or strings of them (``passes.numbers.trellis``)."""


@dataclass(frozen=True, slots=True)
class Granularity:
    """How many weights share one scale.

    Args:
        kind: ``tensor`` (all rows of a block), ``channel`` (one row) or ``group`` (``group_size`` neighbours of a row).
        group_size: Weights a scale, only for ``group``: a power of two of at least 16.

    Raises:
        QuantizationError: The size is missing, superfluous or not a power of two of at least 16.
    """

    kind: Literal["tensor", "channel", "group"]
    group_size: int | None = None

    def __post_init__(self) -> None:
        size = self.group_size
        if (self.kind == "group") != (size is not None):
            raise QuantizationError(f"granularity {self.kind!r} with group size {size}", hint="write group:64")
        if size is not None and (size < 16 or size & (size - 1)):
            raise QuantizationError(f"group size {size}", hint="take a power of two of at least 16, for example 64")

    @classmethod
    def parse(cls, text: str) -> Granularity:
        """Reads ``tensor``, ``channel`` or ``group:N``."""
        kind, _, size = text.partition(":")
        if kind in ("tensor", "channel") and not size:
            return cls(kind)  # type: ignore[arg-type]  # narrowed by the test above
        if kind == "group" and size.isdecimal():
            return cls("group", int(size))
        raise QuantizationError(f"granularity {text!r}", hint="write tensor, channel or group:N, for example group:64")

    def __str__(self) -> str:
        return f"group:{self.group_size}" if self.kind == "group" else self.kind

    def group_of(self, cols: int) -> int:
        """Weights of one row that share a scale: the asked size, halved until it divides ``cols``, or all of them."""
        size = self.group_size
        if size is None:
            return cols
        while size >= 16 and cols % size:
            size //= 2
        return size if size >= 16 else cols


@dataclass(frozen=True, slots=True)
class WeightSpec:
    """How the weights of one block of rows are stored.

    Args:
        bits: 1 to 31 for integer codes, 32 for float32. 16 means float16 when ``half`` is true, else integer codes.
        granularity: Weights that share a scale.
        symmetric: True when zero lies in the middle of the codes and no zero point is stored.
        half: True for a float16 weight; only with ``bits`` 16.
        format: ``trellis`` for codes in strings; symmetric, with scales of rows or groups.
        quarters: Of a bit that a trellis takes on top, averaged over the inputs; below 4.
    """

    bits: int
    granularity: Granularity = Granularity("group", 64)
    symmetric: bool = False
    half: bool = False
    format: NumberFormat = "affine"
    quarters: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= FLOAT_BITS:
            raise QuantizationError(f"{self.bits} bits", hint="a weight takes 1 to 32 bits")
        if self.half and self.bits != HALF_BITS:
            raise QuantizationError(f"float16 with {self.bits} bits", hint="half goes with 16 bits")
        if self.is_trellis and not (self.symmetric and self.bits in TRELLIS_BITS and self.granularity.kind != "tensor"):
            raise QuantizationError(
                f"a trellis of {self.bits} bits, symmetric {self.symmetric}, {self.granularity}",
                hint="a trellis takes 1 to 6 bits, symmetric, with scales of channels or groups",
            )
        if self.quarters and not (self.is_trellis and (self.bits, self.quarters) in TRELLIS_STEPS):
            raise QuantizationError(
                f"{self.bits} bits and {self.quarters} quarters, {self.format}",
                hint="a trellis of 2 to 5 bits takes up to 3 quarters more",
            )

    @property
    def mean_bits(self) -> float:
        """Bits a weight, averaged over the inputs; scales and zero points not counted."""
        return self.bits + self.quarters / 4 if self.quarters else self.bits

    def column_bits(self, cols: int) -> int:
        """Bits of all ``cols`` inputs of a row of a trellis."""
        return cols * self.bits + cols * self.quarters // 4

    @property
    def is_float(self) -> bool:
        """True for weights kept in float32 or float16."""
        return self.half or self.bits == FLOAT_BITS

    @property
    def is_trellis(self) -> bool:
        """True for codes in strings."""
        return self.format == "trellis"

    @property
    def level_bits(self) -> int:
        """Bits of the levels that scales multiply: 8 of a trellis, else those of the codes."""
        return MAX_PACKED_BITS if self.is_trellis else self.bits


def weight_spec(
    bits: int, granularity: Granularity, symmetric: bool, asked: NumberFormat = "affine", quarters: int = 0
) -> WeightSpec:
    """How weights of a width are stored, spelled in one way only, so that neighbouring blocks merge.

    Args:
        bits: 1 to 8, 16 for float16 or 32 for float32, which have neither scales nor zero points.
        granularity: Of codes.
        symmetric: Of affine codes.
        asked: ``trellis`` where the width has one.
        quarters: Of a bit that a trellis takes on top.
    """
    if bits in (HALF_BITS, FLOAT_BITS):
        return WeightSpec(bits, half=bits == HALF_BITS)
    if asked == "trellis" and bits in TRELLIS_BITS:
        return WeightSpec(bits, granularity, symmetric=True, format="trellis", quarters=quarters)
    return WeightSpec(bits, granularity, symmetric)


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Rows ``start`` to ``stop`` (exclusive) of a layer and how they are stored."""

    start: int
    stop: int
    spec: WeightSpec

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise QuantizationError(f"row block {self.start}:{self.stop} is empty")

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class LayerScheme:
    """The blocks of one layer, in row order, without gaps.

    Args:
        layer: Name of the layer.
        blocks: At least one block; the first starts at row 0 and each starts where the one before it stops.
        rounding: Name in the rounding registry.
        reason: Why the layer stays in float, when it does.
    """

    layer: str
    blocks: tuple[RowBlock, ...]
    rounding: str = "rtn"
    reason: str | None = None

    def __post_init__(self) -> None:
        stop = 0
        for block in self.blocks:
            if block.start != stop:
                raise QuantizationError(f"layer {self.layer}: block starts at row {block.start}, expected {stop}")
            stop = block.stop
        if not self.blocks:
            raise QuantizationError(f"layer {self.layer}: no block")

    @property
    def rows(self) -> int:
        """Rows of the layer."""
        return self.blocks[-1].stop

    @property
    def mean_bits(self) -> float:
        """Bits a weight, averaged over rows; scales and zero points not counted."""
        return sum(b.rows * b.spec.mean_bits for b in self.blocks) / self.rows

    @property
    def is_float(self) -> bool:
        """True when no block holds integer codes."""
        return all(b.spec.is_float for b in self.blocks)


@dataclass(frozen=True, slots=True)
class BitScheme:
    """The whole model's widths.

    Args:
        layers: Layer name to its blocks, in network order.
        activation_bits: Width of the quantized inputs of linear, conv1d and attention products; None keeps them float.
    """

    layers: Mapping[str, LayerScheme] = field(default_factory=dict)
    activation_bits: int | None = None

    def __post_init__(self) -> None:
        for name, scheme in self.layers.items():
            if name != scheme.layer:
                raise QuantizationError(f"scheme of layer {scheme.layer!r} stored under {name!r}")
        object.__setattr__(self, "layers", MappingProxyType(dict(self.layers)))
