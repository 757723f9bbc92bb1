"""The text around a weight in an exported file, its operators, names and headers, by emitting what reads few rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx_ir as ir

from myqasr_fx.export.dequantize import READERS, rows
from myqasr_fx.export.emitter import Emitter
from myqasr_fx.export.stored_weight import StoredWeight, WeightReader
from myqasr_fx.export.string_rows import string_rows
from passes.graph.layers import Layer
from passes.lowering.qdq_ops import FORM_INTEGER, FORM_MATMUL, FORM_ROWS, weight_form
from passes.numbers.affine import zero_point_bits
from passes.numbers.column_widths import palette
from passes.numbers.packing import packed_bytes
from passes.numbers.scheme import TRELLIS_BITS, Granularity
from passes.numbers.trellis import STATES
from passes.numbers.trellis_codes import TrellisCodes

_HEADER_BYTES = 24  # of a tensor, its name apart
_NODE_TAG_BYTES = 3  # tag and length of a node in the list of nodes
_STAND_IN_ROWS = 8
_VALUE = "v1234"  # value names are about that long


@dataclass(frozen=True, slots=True)
class Storage:
    """How weights are written.

    Args:
        symmetric: No zero points.
        opset: Version of the ``ai.onnx`` operators, which has or has not a type for 2 bits.
        integer: Inputs are quantized to integers, too.
        dynamic: Layers whose inputs are quantized on every call.
        trellis: Layers whose codes are trellis codes, where their width has them.
        tables: Large tables take 8 bits a number.
    """

    symmetric: bool = False
    opset: int = 21
    integer: bool = False
    dynamic: frozenset[str] = frozenset()
    trellis: frozenset[str] = frozenset()
    tables: bool = False

    def is_trellis(self, layer: str, bits: int) -> bool:
        """True where ``layer`` has trellis codes at this width."""
        return bits in TRELLIS_BITS and layer in self.trellis

    def integer_inputs(self, layer: str) -> bool:
        """True where ``layer`` multiplies integers."""
        return self.integer or layer in self.dynamic


def text_bytes(layer: Layer, bits: int, granularity: Granularity, storage: Storage) -> int:
    """Operators and tensor headers that read the first block of ``layer``."""
    return _emitted_bytes(*_emitted(layer, bits, granularity, storage), 1)[0]


def second_text_bytes(layer: Layer, bits: int, granularity: Granularity, storage: Storage) -> int:
    """What every further block of ``layer`` adds to them."""
    emitted = _emitted(layer, bits, granularity, storage)
    return sum(_emitted_bytes(*emitted, 3)) - sum(_emitted_bytes(*emitted, 2))


def _emitted(
    layer: Layer, bits: int, granularity: Granularity, storage: Storage
) -> tuple[_StandIn, tuple[str, ...], tuple[bool, int]]:
    """What is emitted in place of a block, in which forms, and how."""
    per_tensor = granularity.kind == "tensor"
    group = granularity.group_of(layer.cols)
    is_trellis = storage.is_trellis(layer.name, bits)
    stand_in = _StandIn(len(layer.name), bits, layer.cols, group, per_tensor, len(layer.shape), is_trellis)
    integer = storage.integer_inputs(layer.name)
    forms = tuple(weight_form(use.kind, layer.cols, integer) for use in layer.uses)
    return stand_in, forms, (storage.symmetric, storage.opset)


@dataclass(frozen=True, slots=True)
class _StandIn:
    """A block of few rows that is read by the same operators as a real one."""

    name_length: int
    bits: int
    cols: int
    group: int
    per_tensor: bool
    ndim: int
    is_trellis: bool = False

    def stored(self, symmetric: bool, plain: bool, index: int) -> StoredWeight:
        """Zeros, as the block of this index."""
        grid = (1, 1) if self.per_tensor else (self.cols // self.group, _STAND_IN_ROWS)
        zeros = packed_bytes(grid[0] * grid[1], zero_point_bits(self.bits))
        codes, trellis = np.zeros(packed_bytes(_STAND_IN_ROWS * self.cols, self.bits), np.uint8), None
        if self.is_trellis:
            widths = np.resize(np.array(palette(self.bits), np.uint8), self.cols)
            path = np.zeros((self.cols, _STAND_IN_ROWS), np.uint16)
            tables = {bits: np.zeros(STATES, np.uint8) for bits in palette(self.bits)}
            trellis = TrellisCodes.of(path, widths, tables, np.ones(self.cols, np.float32))
            codes = trellis.stored()
        return StoredWeight(
            name=f"{'n' * self.name_length}.{index}",
            bits=self.bits,
            shape=(_STAND_IN_ROWS, self.cols, 1, 1)[: max(2, self.ndim)],
            packed=codes,
            scale=np.ones(grid, np.float16),
            zero_point=None if symmetric or self.is_trellis else np.zeros(zeros, np.uint8),
            plain=plain,
            table=None if trellis is None else trellis.tables,
            gains=np.ones(self.cols, np.float16) if self.is_trellis else None,
        )


@cache
def _emitted_bytes(stand_in: _StandIn, forms: tuple[str, ...], how: tuple[bool, int], blocks: int) -> tuple[int, int]:
    """Bytes of what reads ``blocks`` stand-ins in these forms, and of the constants of which layers may share some."""
    symmetric, opset = how
    emitter = Emitter(ir.Graph([], [], nodes=[], opset_imports={"": opset}))
    plain = len(forms) > 1 or forms[0] not in (FORM_MATMUL, FORM_INTEGER)
    readers = [WeightReader(emitter, stand_in.stored(symmetric, plain, index)) for index in range(blocks)]
    for form in forms:
        if form == FORM_ROWS:
            _emit_rows(readers)
            continue
        for reader in readers:
            READERS[form](reader)
            if form == FORM_MATMUL and (gains := reader.gains()) is not None:
                emitter.op("Mul", gains, gains)
    total, name = 0, "n" * stand_in.name_length
    for node in emitter.graph:
        node.name = f"{name}.0" if node.op_type == "DequantizeLinear" else None
        node.outputs[0].name = _VALUE
    shared = set(emitter.shared)
    for node in (node for node in emitter.graph if node not in shared):
        total += int(ir.serde.serialize_node(node).ByteSize()) + _NODE_TAG_BYTES
    tensors = emitter.graph.initializers
    stored = [each for each in tensors if each.startswith(name)]
    constants = sum(
        value.const_value.nbytes for value in tensors.values() if value.const_value and value.name not in stored
    )
    return total + sum(len(each) + _HEADER_BYTES for each in stored), constants


def _emit_rows(readers: Sequence[WeightReader]) -> None:
    """Lookups in adjacent blocks."""
    if readers[0].weight.table is not None:
        string_rows(readers, ir.Value(name=_VALUE))
        return
    for reader in readers:
        rows(reader, ir.Value(name=_VALUE))
