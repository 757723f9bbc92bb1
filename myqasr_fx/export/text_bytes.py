"""The text around a weight in an exported file, its operators, names and headers, by emitting what reads one block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx_ir as ir

from myqasr_fx.export.dequantize import READERS, rows
from myqasr_fx.export.emitter import Emitter
from myqasr_fx.export.stored_weight import StoredWeight, WeightReader
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
    """Operators and tensor headers that read one block of ``layer``."""
    per_tensor = granularity.kind == "tensor"
    group = granularity.group_of(layer.cols)
    is_trellis = storage.is_trellis(layer.name, bits)
    stand_in = _StandIn(len(layer.name), bits, layer.cols, group, per_tensor, len(layer.shape), is_trellis)
    integer = storage.integer_inputs(layer.name)
    forms = tuple(weight_form(use.kind, layer.cols, integer) for use in layer.uses)
    return _emitted_bytes(stand_in, forms, (storage.symmetric, storage.opset))


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

    def stored(self, symmetric: bool, plain: bool) -> StoredWeight:
        """Zeros."""
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
            name="n" * self.name_length + ".0",
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
def _emitted_bytes(stand_in: _StandIn, forms: tuple[str, ...], how: tuple[bool, int]) -> int:
    """Bytes of what reads ``stand_in`` in these forms; constants that layers share are left out."""
    symmetric, opset = how
    emitter = Emitter(ir.Graph([], [], nodes=[], opset_imports={"": opset}))
    plain = len(forms) > 1 or forms[0] not in (FORM_MATMUL, FORM_INTEGER)
    weight = stand_in.stored(symmetric, plain)
    reader = WeightReader(emitter, weight)
    for form in forms:
        if form == FORM_ROWS:
            rows(reader, ir.Value(name=_VALUE))
        else:
            READERS[form](reader)
            if form == FORM_MATMUL and (gains := reader.gains()) is not None:
                emitter.op("Mul", gains, gains)
    total = 0
    for node in emitter.graph:
        node.name = weight.name if node.op_type == "DequantizeLinear" else None
        node.outputs[0].name = _VALUE
    shared = set(emitter.shared)
    for node in (node for node in emitter.graph if node not in shared):
        total += int(ir.serde.serialize_node(node).ByteSize()) + _NODE_TAG_BYTES
    stored = [name for name in emitter.graph.initializers if name.startswith(weight.name)]
    return total + sum(len(name) + _HEADER_BYTES for name in stored)
