"""Items of a program's layers: small layers whole, large ones in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from passes.allocation.size_rule import Item
from passes.graph.layers import Layer

LARGE_LAYER = 0.05
"""A layer with more than this share of all weights is split into blocks."""

BLOCK = 0.02
"""Most weights of a block, as a share of all weights."""

_ROW_MULTIPLE = 16
"""Rows of all blocks but the last are a multiple of it, where so many fit: kernels take tiles of 4 to 16 rows, turns of
trellis codes 2 to 8."""


def make_items(layers: Sequence[Layer], sensitivity: Mapping[str, float], *, split: bool) -> tuple[Item, ...]:
    """Items of all layers with weights, in network order and then by rows.

    Args:
        layers: Of the program, with or without weights.
        sensitivity: Layer name to sensitivity; 0 when missing.
        split: True to cut layers of more than 5 % of all weights into equal blocks of at most 2 %.
    """
    total = sum(layer.num_weights for layer in layers)
    return tuple(
        Item(
            name=layer.name if rows == layer.rows else f"{layer.name}[{start}:{start + rows}]",
            layer=layer.name,
            start=start,
            rows=rows,
            cols=layer.cols,
            sensitivity=sensitivity.get(layer.name, 0.0),
        )
        for layer in layers
        if layer.num_weights
        for start, rows in (_blocks(layer, total) if split else [(0, layer.rows)])
    )


def _blocks(layer: Layer, total: int) -> Iterator[tuple[int, int]]:
    """First row and number of rows of each block of ``layer`` in a model of ``total`` weights."""
    size = layer.rows
    if layer.num_weights > LARGE_LAYER * total:
        most = max(1, int(BLOCK * total / layer.cols))
        step = _ROW_MULTIPLE if most >= _ROW_MULTIPLE else 1
        count = -(-layer.rows // (most - most % step))
        size = -(-layer.rows // (count * step)) * step
    for start in range(0, layer.rows, size):
        yield start, min(size, layer.rows - start)
