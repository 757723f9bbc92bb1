"""What each width will cost in the exported files, before anything is exported.

The payload (codes, scales, zero points, float leftovers) is exact. The text around it (operators, names, headers) is
measured where widths change it, by emitting the operators that read one block, and estimated from above elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx_ir as ir

from myqasr_fx.export.dequantize import READERS, rows
from myqasr_fx.export.emitter import Emitter
from myqasr_fx.export.finish import HALF_MINIMUM
from myqasr_fx.export.stored_weight import StoredWeight, WeightReader
from passes.allocation.size_rule import FileSize, Item
from passes.base import Program
from passes.graph.layers import Layer, find_layers
from passes.lowering.qdq_ops import FORM_INTEGER, FORM_MATMUL, FORM_ROWS, weight_form
from passes.numbers.affine import zero_point_bits
from passes.numbers.column_widths import palette
from passes.numbers.packing import packed_bytes
from passes.numbers.row_codes import takes_row_codes
from passes.numbers.scale_grid import bytes_of_scale
from passes.numbers.scheme import (
    FLOAT_BITS,
    HALF_BITS,
    MAX_PACKED_BITS,
    TRELLIS_BITS,
    TRELLIS_STEPS,
    Granularity,
    WeightSpec,
)
from passes.numbers.sinusoids import is_sinusoids
from passes.numbers.trellis import LAST_TABLE, STATES, string_bytes
from passes.numbers.trellis_codes import TrellisCodes, head_bytes
from passes.rounding.round_floats import leftovers

_CALL_BYTES = 100  # ONNX text of one call of a captured graph, more than Whisper and Wav2Vec2 take
_SHAPE_BYTES = 250  # the constants that reshape weights of one shape
_HEADER_BYTES = 24  # of a tensor, its name apart
_NODE_TAG_BYTES = 3  # tag and length of a node in the list of nodes
_JOIN_BYTES = 700  # joining the products and the looked-up rows of two blocks
_FLOAT_BYTES = 100  # header of a float weight, its cast and its transposition
_ROUNDING_BYTES = 150  # QuantizeLinear, DequantizeLinear, scale and zero point of one input
_SINUSOID_BYTES = 300  # the operators that compute a table of positions
_ROW_CODES_BYTES = 200  # the operators that multiply codes of a table, and names
_SPLIT_BYTES = 100  # the constant that divides strings of several widths
_TABLE_BYTES = 500  # the operators that join a table's levels for neighbours
_STAND_IN_ROWS = 8
_PACKED = range(1, MAX_PACKED_BITS + 1)
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


def file_size(
    program: Program, items: Iterable[Item], granularity: Mapping[str, Granularity], storage: Storage, surplus: int = 0
) -> FileSize:
    """Prices of every item and width for a canonical program.

    Args:
        program: Canonical graphs; their nodes and float leftovers are the fixed bytes.
        items: What gets a width.
        granularity: Layer name to the weights that share a scale.
        storage: How weights are written.
        surplus: Bytes that the last written files had more than this table predicted; may be negative.
    """
    layers = {layer.name: layer for layer in find_layers(program)}
    table, seconds = {}, []
    fixed = fixed_bytes(program, storage)
    for item in items:
        layer, each = layers[item.layer], granularity[item.layer]
        table[item.name] = item_bytes(item, layer, each, storage)
        if item.start == 0 and item.rows < layer.rows:
            text = max(_text_bytes(layer, bits, each, storage) for bits in _PACKED) + _JOIN_BYTES
            seconds.append(text)
    # Algorithm 1 and the fill step each stop inside a layer, which leaves it with a second block.
    return FileSize(table, fixed + sum(sorted(seconds)[-2:]) + surplus)


def item_bytes(item: Item, layer: Layer, granularity: Granularity, storage: Storage) -> dict[float, int]:
    """Width, or average width of a trellis, to bytes of one item of ``layer``."""
    groups = item.cols // granularity.group_of(item.cols)
    scales = 1 if granularity.kind == "tensor" else item.rows * groups
    graphs = len({use.graph for use in layer.uses})
    # The first block of a layer pays for the operators; its neighbours join it.
    text = 0 if item.start else len(layer.name) + _FLOAT_BYTES
    prices: dict[float, int] = {bits: graphs * bits // 8 * item.num_weights + text for bits in (FLOAT_BITS, HALF_BITS)}
    scale_bytes = bytes_of_scale(groups) * scales
    for bits in _PACKED:
        if storage.is_trellis(layer.name, bits):
            continue
        payload = packed_bytes(item.num_weights, bits) + scale_bytes
        if not storage.symmetric:
            payload += packed_bytes(scales, zero_point_bits(bits))
        prices[bits] = graphs * payload + (0 if item.start else _text_bytes(layer, bits, granularity, storage))
    if storage.is_trellis(layer.name, min(TRELLIS_BITS)):
        texts = {bits: 0 if item.start else _text_bytes(layer, bits, granularity, storage) for bits in TRELLIS_BITS}
        for bits, quarters in TRELLIS_STEPS:
            spec = WeightSpec(bits, granularity, symmetric=True, format="trellis", quarters=quarters)
            prices[spec.mean_bits] = graphs * (_strings_bytes(item, spec) + scale_bytes) + texts[bits]
    return prices


def _strings_bytes(item: Item, spec: WeightSpec) -> int:
    """Bytes of strings, widths and gains: where outputs do not fill bytes, as many as any widths of this sum take."""
    each = [string_bytes(item.rows, bits) - item.rows * bits / 8 for bits in TRELLIS_BITS]
    strings = item.rows * spec.column_bits(item.cols) / 8 + max(each) * item.cols
    return int(strings) + head_bytes(item.cols) + item.cols + _SPLIT_BYTES


def fixed_bytes(program: Program, storage: Storage) -> int:
    """Estimate of everything in the files that no width changes, when ``RoundFloats`` has run or will."""
    floats = 0
    for tensor in {id(tensor): tensor for _, _, tensor in leftovers(program)}.values():
        if is_sinusoids(tensor):
            floats += 4 * tensor.shape[1] // 2 + _SINUSOID_BYTES
            continue
        if storage.tables and takes_row_codes(tensor):
            floats += tensor.numel() + 4 * len(tensor) + _ROW_CODES_BYTES
            continue
        half = tensor.numel() >= HALF_MINIMUM and bool(tensor.detach().half().isfinite().all())
        floats += (2 if half else 4) * tensor.numel()
    calls = sum(node.op == "call_function" for _, _, node in program.nodes())
    layers = find_layers(program)
    shapes = {layer.shape for layer in layers}
    roundings = sum(len(layer.uses) for layer in layers if storage.integer_inputs(layer.name))
    each = STATES * LAST_TABLE + _TABLE_BYTES * len(TRELLIS_BITS)
    tables = each * len(program.graphs) if storage.trellis else 0
    return tables + floats + _CALL_BYTES * calls + _SHAPE_BYTES * len(shapes) + _ROUNDING_BYTES * roundings


def _text_bytes(layer: Layer, bits: int, granularity: Granularity, storage: Storage) -> int:
    """Operators and tensor headers that read one block of ``layer``."""
    per_tensor = granularity.kind == "tensor"
    group = granularity.group_of(layer.cols)
    is_trellis = storage.is_trellis(layer.name, bits)
    stand_in = _StandIn(len(layer.name), bits, layer.cols, group, per_tensor, len(layer.shape), is_trellis)
    integer = storage.integer_inputs(layer.name)
    forms = tuple(weight_form(use.kind, layer.cols, integer) for use in layer.uses)
    return _emitted_bytes(stand_in, forms, storage)


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
def _emitted_bytes(stand_in: _StandIn, forms: tuple[str, ...], storage: Storage) -> int:
    """Bytes of what reads ``stand_in`` in these forms; constants that layers share are left out."""
    emitter = Emitter(ir.Graph([], [], nodes=[], opset_imports={"": storage.opset}))
    plain = len(forms) > 1 or forms[0] not in (FORM_MATMUL, FORM_INTEGER)
    weight = stand_in.stored(storage.symmetric, plain)
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
