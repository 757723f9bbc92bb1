"""What each width will cost in the exported files, before anything is exported.

The payload (codes, scales, zero points, float leftovers) is exact. The text around it (operators, names, headers) is
measured where widths change it (``text_bytes``), and estimated from above elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise

from myqasr_fx.export.finish import HALF_MINIMUM
from myqasr_fx.export.text_bytes import Storage, second_text_bytes, text_bytes
from passes.allocation.size_rule import FileSize, Item
from passes.base import Program
from passes.graph.layers import Layer, find_layers
from passes.numbers.affine import zero_point_bits
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
    LayerScheme,
    WeightSpec,
)
from passes.numbers.sinusoids import is_sinusoids
from passes.numbers.trellis import LAST_TABLE, STATES, string_bytes
from passes.numbers.trellis_codes import head_bytes
from passes.rounding.round_floats import leftovers

_CALL_BYTES = 100  # ONNX text of one call of a captured graph, more than Whisper and Wav2Vec2 take
_SHAPE_BYTES = 250  # the constants that reshape weights of one shape
_JOIN_BYTES = 700  # joining the products and the looked-up rows of two blocks
_JOIN_STRINGS_BYTES = 250  # the same of strings, whose lookups are one
_FLOAT_BYTES = 100  # header of a float weight, its cast and its transposition
_ROUNDING_BYTES = 150  # QuantizeLinear, DequantizeLinear, scale and zero point of one input
_SINUSOID_BYTES = 300  # the operators that compute a table of positions
_ROW_CODES_BYTES = 200  # the operators that multiply codes of a table, and names
_SPLIT_BYTES = 100  # the constant that divides strings of several widths
_TABLE_BYTES = 500  # the operators that join a table's levels for neighbours
_SECONDS = 2  # blocks beyond the first of a layer that every estimate has room for
_PACKED = range(1, MAX_PACKED_BITS + 1)


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
            seconds.append(max(text_bytes(layer, bits, each, storage) for bits in _PACKED) + _JOIN_BYTES)
    # Algorithm 1 and the fill step each stop inside a layer, which leaves it with a second block.
    return FileSize(table, fixed + sum(sorted(seconds)[-_SECONDS:]) + surplus)


def divided_bytes(schemes: Iterable[tuple[Layer, LayerScheme]], items: Iterable[Item], storage: Storage) -> int:
    """What files take beyond the prices of items: the text of further blocks, less what items of one block share.

    The largest texts are left out for which :func:`file_size` has room.

    Args:
        schemes: Of all layers.
        items: What has a price.
        storage: How weights are written.

    Returns:
        Bytes; negative where items share more than blocks take.
    """
    texts, saved, priced = [], 0, list(items)
    room = min(_SECONDS, len({item.layer for item in priced if item.start}))
    for layer, scheme in schemes:
        own = [item for item in priced if item.layer == layer.name]
        for block in scheme.blocks:
            spec, parts = block.spec, [item for item in own if block.start <= item.start < block.stop]
            if spec.is_trellis:
                whole = replace(parts[0], rows=block.rows)
                graphs = len({use.graph for use in layer.uses})
                saved += graphs * (sum(_strings_bytes(item, spec) for item in parts) - _strings_bytes(whole, spec))
        for before, block in pairwise(scheme.blocks):
            joins = before.spec.is_trellis and block.spec.is_trellis  # where groups differ, 2 kB too little
            texts.append(_second_bytes(layer, block.spec, storage, joins))
    return sum(sorted(texts)[: len(texts) - room]) - saved


def _second_bytes(layer: Layer, spec: WeightSpec, storage: Storage, joins: bool) -> int:
    """What reads a block that is not the first of its layer; one that ``joins`` shares lookups with those before it."""
    storage = replace(storage, trellis=frozenset({layer.name} if spec.is_trellis else ()))
    if spec.is_float:
        return len(layer.name) + _FLOAT_BYTES + _JOIN_BYTES
    if joins:
        return second_text_bytes(layer, spec.bits, spec.granularity, storage) + _JOIN_STRINGS_BYTES
    return text_bytes(layer, spec.bits, spec.granularity, storage) + _JOIN_BYTES


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
        prices[bits] = graphs * payload + (0 if item.start else text_bytes(layer, bits, granularity, storage))
    if storage.is_trellis(layer.name, min(TRELLIS_BITS)):
        texts = {bits: 0 if item.start else text_bytes(layer, bits, granularity, storage) for bits in TRELLIS_BITS}
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
