"""How one block of quantized rows lies in the file, and the operators that read it back.

Codes, scales and zero points are (K, n), (G, n) and (G, n), the transposed weight. Widths 4 and 8 are native INT4/INT8
(UINT4/UINT8 with a zero point), at opset 25 also 2; the others, and grouped INT8, are packed fields that the graph
unpacks::

    field (K/per, n) -> BitShift(RIGHT, [0, w, …]) -> BitwiseAnd -> Reshape(K, n) -> BitShift(LEFT, offset) -> BitwiseOr
    -> Cast(UINT4 | UINT8)

onnxruntime folds that into one constant when it loads the file. A block whose rows are looked up keeps its fields at
every width, since Gather reads no 4-bit tensor. Trellis strings become 8-bit levels, see ``trellis``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
import torch

from myqasr_fx.errors import ExportError
from myqasr_fx.export.emitter import Emitter
from myqasr_fx.export.packed_fields import unpack_fields
from myqasr_fx.export.trellis import Trellis, all_levels, table_name
from passes.numbers.affine import step, zero_point_bits
from passes.numbers.packing import PackedField, split, unpack
from passes.numbers.scale_grid import bytes_of_scale, grid_indices, scale_grid
from passes.numbers.scheme import MAX_PACKED_BITS
from passes.numbers.trellis_codes import stored_widths

KERNEL_GROUPS = (256, 128, 64, 32, 16)
"""Group sizes that MatMulNBits takes."""

_ROWS_OF_TWO_BITS = 4
"""What the outputs of native 2 bits are a multiple of: of others onnxruntime's MatMulNBits computes something else."""

_CONTAINERS = {2: (ir.DataType.INT2, ir.DataType.UINT2), 4: (ir.DataType.INT4, ir.DataType.UINT4)}

Bytes = npt.NDArray[np.uint8]


def native_widths(opset: int) -> tuple[int, ...]:
    """Widths that the format has element types for.

    Source: ONNX opset 21 (INT4, UINT4) and opset 25 (INT2, UINT2).
    """
    return (2, 4, 8) if opset >= 25 else (4, 8)


@dataclass(frozen=True, slots=True, eq=False)
class StoredWeight:
    """One block as it arrives from the lowered graph.

    Args:
        name: Layer and block, the stem of its initializers' names.
        bits: 1 to 8; 1 to 4 of a trellis whose columns have one width.
        shape: The weight's own, (n, …).
        packed: Packed codes over (K, n); the strings of a trellis as ``passes.numbers.trellis_codes`` stores them.
        scale: (G, n), float16; 1 for an axis that shares it.
        zero_point: Packed zero points of the scale's shape, or None when symmetric.
        plain: True when something else than a kernel reads the codes too: looked-up rows, a folded weight.
        table: (m, 4096) levels of the m widths of a trellis; None for affine codes.
        gains: (K,) float16 of the columns of a trellis.
    """

    name: str
    bits: int
    shape: tuple[int, ...]
    packed: Bytes
    scale: npt.NDArray[np.float16]
    zero_point: Bytes | None
    plain: bool
    table: Bytes | None = None
    gains: npt.NDArray[np.float16] | None = None

    @property
    def level_bits(self) -> int:
        """Bits of the levels that scales multiply."""
        return self.bits if self.table is None else MAX_PACKED_BITS

    @property
    def rows(self) -> int:
        """Outputs n."""
        return self.shape[0]

    @property
    def cols(self) -> int:
        """Inputs K."""
        return prod(self.shape[1:])

    @property
    def groups(self) -> int:
        """Scales a row, G."""
        return int(self.scale.shape[0])

    @property
    def code_step(self) -> int:
        """Distance of neighbouring codes, in scales."""
        return step(self.level_bits, self.zero_point is None)

    @property
    def container(self) -> ir.DataType:
        """Element type of the codes that the kernel reads."""
        top = self.code_step * (2**self.level_bits - 1)
        return ir.DataType.UINT4 if top < 16 else ir.DataType.UINT8


class WeightReader:
    """Emits the operators that read one stored weight; its tensors are written once however often it is read."""

    def __init__(self, emitter: Emitter, weight: StoredWeight) -> None:
        self.emitter, self.weight = emitter, weight
        self._stored: dict[str, ir.Value] = {}

    def fields(self) -> list[tuple[PackedField, ir.Value]]:
        """Packed fields and their initializers: (K / per, n), flat when K does not divide."""
        weight = self.weight
        aligned = weight.cols % 8 == 0
        found = []
        for field in split(weight.packed, weight.cols * weight.rows, weight.bits):
            data = field.data.reshape(-1, weight.rows) if aligned else field.data
            found.append((field, self._store(f"{weight.name}.codes{field.width}", ir.Tensor(data))))
        return found

    def codes(self) -> ir.Value:
        """(K, n) uint8 codes times their step."""
        if self.weight.table is not None:
            return all_levels(self.emitter, self.trellis())
        return self._spread(unpack_fields(self.emitter, self.fields(), (self.weight.cols, self.weight.rows)))

    def rows(self, indices: ir.Value) -> ir.Value:
        """(K, m) uint8 codes of the rows at ``indices`` (m), times their step; not of a trellis."""
        gathered = [(field, self.emitter.op("Gather", value, indices, axis=1)) for field, value in self.fields()]
        return self._spread(unpack_fields(self.emitter, gathered, (self.weight.cols, -1)))

    def scale(self) -> ir.Value:
        """(G, n) float32 scales."""
        stored, indexed = self.stored_scale()
        return self.looked_up(stored) if indexed else self.emitter.cast(stored, ir.DataType.FLOAT)

    def scale_rows(self, indices: ir.Value) -> ir.Value:
        """(G, m) float32 scales of the rows at ``indices`` (m), gathered before anything else reads them."""
        stored, indexed = self.stored_scale()
        rows = self.emitter.op("Gather", stored, indices, axis=1)
        return self.looked_up(rows) if indexed else self.emitter.cast(rows, ir.DataType.FLOAT)

    def stored_scale(self) -> tuple[ir.Value, bool]:
        """(G, n) scales as they lie in the file, and whether those are indices into ``passes.numbers.scale_grid``."""
        weight, found = self.weight, None
        if bytes_of_scale(weight.groups) == 1:
            found = grid_indices(torch.from_numpy(weight.scale.astype(np.float32)))
        tensor = ir.Tensor(weight.scale if found is None else found.numpy())
        return self._store(f"{weight.name}.scale", tensor), found is not None

    def looked_up(self, indices: ir.Value) -> ir.Value:
        """float32 scales or gains that uint8 ``indices`` stand for."""
        grid = self.emitter.constant(scale_grid().numpy().astype(np.float16))
        index = self.emitter.cast(indices, ir.DataType.INT32)
        return self.emitter.op("Gather", self.emitter.cast(grid, ir.DataType.FLOAT), index, axis=0)

    def zero_point(self) -> ir.Value:
        """(G, n) uint8 zero points; (1, 1) when symmetric."""
        weight, emitter = self.weight, self.emitter
        if weight.zero_point is None:
            return emitter.constant(np.full((1, 1), 1 << (weight.level_bits - 1), np.uint8))
        shape, bits = weight.scale.shape, zero_point_bits(weight.bits)
        parts = [
            (field, self._store(f"{weight.name}.zero_point{field.width}", ir.Tensor(field.data)))
            for field in split(weight.zero_point, prod(shape), bits)
        ]
        return unpack_fields(emitter, parts, shape)

    def native(self) -> tuple[ir.Value, ir.Value | None] | None:
        """Codes and zero points (None when symmetric) as native tensors, where the format has this width."""
        weight = self.weight
        if weight.plain or weight.table is not None or weight.bits not in native_widths(self.emitter.opset):
            return None
        if weight.rows % _ROWS_OF_TWO_BITS and weight.bits == 2:
            return None
        signed = weight.zero_point is None
        codes = self._native(f"{weight.name}.codes", weight.packed, (weight.cols, weight.rows), signed)
        if weight.zero_point is None:
            return codes, None
        return codes, self._native(f"{weight.name}.zero_point", weight.zero_point, weight.scale.shape, False)

    def _native(self, name: str, packed: Bytes, shape: Sequence[int], signed: bool) -> ir.Value:
        bits = self.weight.bits
        codes = unpack(split(packed, prod(shape), bits), bits, tuple(shape))
        if signed:
            codes = (codes ^ np.uint8(1 << (bits - 1))) & np.uint8((1 << bits) - 1)  # two's complement of code - middle
        if bits == 8:
            return self._store(name, ir.Tensor(codes.view(np.int8) if signed else codes))
        per = 8 // bits  # codes of one byte, the first in its lowest bits
        planes = np.append(codes.reshape(-1), np.zeros(-codes.size % per, np.uint8)).reshape(-1, per)
        packed = np.bitwise_or.reduce(planes << np.arange(0, 8, bits, dtype=np.uint8), axis=1)
        return self._store(name, ir.PackedTensor(packed, _CONTAINERS[bits][not signed], shape=tuple(shape)))

    def gains(self) -> ir.Value | None:
        """(K,) float32 of the inputs of a trellis; None of affine codes."""
        if self.weight.gains is None:
            return None
        found = grid_indices(torch.from_numpy(self.weight.gains.astype(np.float32)))
        if found is None:
            raise ExportError(f"{self.weight.name}: gains that are not on the grid of scales")
        return self.looked_up(self._store(f"{self.weight.name}.gain", ir.Tensor(found.numpy())))

    def trellis(self) -> Trellis:
        """What trellis levels are read from; tables are stored once for all weights that share them.

        Raises:
            ExportError: The codes are affine.
        """
        weight, tables = self.weight, self.weight.table
        if tables is None:
            raise ExportError(f"{weight.name}: no strings")
        stored = self._store(f"{weight.name}.trellis", ir.Tensor(weight.packed))
        widths = stored_widths(weight.packed, weight.bits, weight.cols)
        counts = {bits: count for bits, count in enumerate(np.bincount(widths).tolist()) if count}
        levels = [self.emitter.constant(table, table_name(bits)) for bits, table in zip(counts, tables, strict=True)]
        return Trellis(stored, counts, levels, weight.rows)

    def _spread(self, codes: ir.Value) -> ir.Value:
        """Codes times their step, a power of two."""
        shift = self.weight.code_step.bit_length() - 1
        return self.emitter.op("BitShift", codes, self.emitter.byte(shift), direction="LEFT") if shift else codes

    def _store(self, name: str, tensor: ir.TensorProtocol) -> ir.Value:
        if name not in self._stored:
            self._stored[name] = self.emitter.initializer(name, tensor)
        return self._stored[name]
