"""A layer's weight after rounding: integer codes or float values, block of rows by block of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from passes.errors import QuantizationError
from passes.numbers.affine import QParams, code_dtype, dequantize, zero_point_bits
from passes.numbers.packing import packed_bytes
from passes.numbers.scale_grid import bytes_of_scale, grid_indices
from passes.numbers.scheme import RowBlock
from passes.numbers.trellis_codes import TrellisCodes


def fits_float16(values: torch.Tensor) -> bool:
    """True when converting ``values`` to float16 and back changes nothing."""
    return bool((values.to(torch.float16).to(values.dtype) == values).all())


def weight_values(codes: torch.Tensor, qparams: QParams, trellis: TrellisCodes | None = None) -> torch.Tensor:
    """(n, K) float32 weights that codes stand for.

    Args:
        codes: (n, K).
        qparams: Their scales and zero points.
        trellis: The strings that the codes are levels of.
    """
    values = dequantize(codes, qparams)
    return values if trellis is None else values.mul_(torch.from_numpy(trellis.gains))


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedBlock:
    """Rows stored as integer codes.

    Args:
        rows: Which rows, and their spec.
        codes: (n, K) uint8, or int32 above 8 bits; of a trellis the 8-bit levels.
        qparams: Their scales and zero points.
        fallbacks: Rows that keep what the rounding method started from, because that is better by its objective: the
            nearest levels.
        trellis: The strings that the levels are read from.
        damping: Part of its mean diagonal that the Gram matrix took to be factored, where that is more than usual.
    """

    rows: RowBlock
    codes: torch.Tensor
    qparams: QParams
    fallbacks: int = 0
    trellis: TrellisCodes | None = None
    damping: float | None = None

    def __post_init__(self) -> None:
        spec = self.rows.spec
        if spec.is_float or (self.qparams.bits, self.qparams.symmetric) != (spec.level_bits, spec.symmetric):
            raise QuantizationError(f"qparams of {self.qparams.bits} bits for a block of {spec}")
        expected = code_dtype(spec.level_bits)
        if self.codes.ndim != 2 or len(self.codes) != self.rows.rows or self.codes.dtype != expected:
            got = f"{self.codes.dtype} {tuple(self.codes.shape)}"
            raise QuantizationError(f"codes are {got}, expected {expected} ({self.rows.rows}, K)")
        bits = None if self.trellis is None else int(self.trellis.widths.sum())
        if bits != (spec.column_bits(self.cols) if spec.is_trellis else None):
            raise QuantizationError(f"strings of {bits} bits an output for a block of {spec}")

    @property
    def cols(self) -> int:
        """Inputs K."""
        return self.codes.shape[1]

    @property
    def file_bytes(self) -> int:
        """Bytes of packed codes, scales and packed zero points; only for widths up to 8 bits."""
        qparams = self.qparams
        each = bytes_of_scale(qparams.scale.shape[1])
        if each == 1 and grid_indices(qparams.scale) is None:
            each = 2
        codes = packed_bytes(self.codes.numel(), qparams.bits)
        if self.trellis is not None:
            codes = self.trellis.stored().size + self.cols  # a byte for its gain
        size = codes + each * qparams.scale.numel()
        return size if qparams.symmetric else size + packed_bytes(qparams.scale.numel(), zero_point_bits(qparams.bits))

    def dequantize(self) -> torch.Tensor:
        """(n, K) float32."""
        return weight_values(self.codes, self.qparams, self.trellis)


@dataclass(frozen=True, slots=True, eq=False)
class FloatBlock:
    """Rows stored as floats.

    Args:
        rows: Which rows, and their spec.
        values: (n, K) float32; float16 values when the spec says half.
    """

    rows: RowBlock
    values: torch.Tensor

    def __post_init__(self) -> None:
        if not self.rows.spec.is_float:
            raise QuantizationError(f"float values for a block of {self.rows.spec.bits} bits")
        if self.values.ndim != 2 or len(self.values) != self.rows.rows or self.values.dtype != torch.float32:
            got = f"{self.values.dtype} {tuple(self.values.shape)}"
            raise QuantizationError(f"values are {got}, expected float32 ({self.rows.rows}, K)")
        if self.rows.spec.half and not (fits_float16(self.values) and bool(self.values.isfinite().all())):
            raise QuantizationError("values of a float16 block lie beyond float16", hint="keep this layer at 32 bits")

    @property
    def cols(self) -> int:
        """Inputs K."""
        return self.values.shape[1]

    @property
    def file_bytes(self) -> int:
        """Bytes of the values in float16 or float32."""
        return self.values.numel() * (2 if self.rows.spec.half else 4)

    def dequantize(self) -> torch.Tensor:
        """(n, K) float32, not a copy."""
        return self.values


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedWeight:
    """All rows of a layer.

    Args:
        shape: Of the weight itself; its first axis is the rows, the others flatten to the K columns.
        blocks: In row order, without gaps.

    Raises:
        QuantizationError: The blocks do not cover the shape.
    """

    shape: tuple[int, ...]
    blocks: tuple[QuantizedBlock | FloatBlock, ...]

    def __post_init__(self) -> None:
        stop, cols = 0, math.prod(self.shape[1:])
        for block in self.blocks:
            if block.rows.start != stop or block.cols != cols:
                got = f"block of {block.cols} columns at row {block.rows.start}"
                raise QuantizationError(f"{got}, expected {cols} columns at row {stop}")
            stop = block.rows.stop
        if stop != self.shape[0]:
            raise QuantizationError(f"blocks end at row {stop}, expected {self.shape[0]}")

    @property
    def cols(self) -> int:
        """Inputs K."""
        return math.prod(self.shape[1:])

    def dequantize(self) -> torch.Tensor:
        """Weight of ``shape``, float32."""
        if len(self.blocks) == 1:
            return self.blocks[0].dequantize().reshape(self.shape)
        out = torch.empty(self.shape, dtype=torch.float32)
        rows = out.reshape(self.shape[0], -1)
        for block in self.blocks:
            rows[block.rows.start : block.rows.stop] = block.dequantize()
        return out
