"""Splitting large layers into blocks of rows."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from passes.allocation.items import make_items
from passes.graph.layers import Layer, Use
from passes.graph.ops import LayerKind


def linear(name: str, rows: int, cols: int) -> Layer:
    return Layer(name, LayerKind.LINEAR, f"{name}.weight", (rows, cols), (Use("model", name, LayerKind.LINEAR),))


PRODUCT = Layer("attn.qk_matmul", LayerKind.MATMUL, None, (), (Use("model", "qk", LayerKind.MATMUL),))


def test_small_layers_stay_whole_and_products_are_no_items() -> None:
    layers = [linear(f"fc{i}", 10, 10) for i in range(40)]
    items = make_items([*layers, PRODUCT], {"fc3": 2.0, "attn.qk_matmul": 9.0}, split=True)
    assert [item.name for item in items] == [layer.name for layer in layers]
    assert [item.sensitivity for item in items][2:5] == [0.0, 2.0, 0.0]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 400)), min_size=1, max_size=30))
def test_blocks_cover_the_rows_and_are_small(shapes: list[tuple[int, int]]) -> None:
    layers = [linear(f"fc{i}", *shape) for i, shape in enumerate(shapes)]
    total = sum(layer.num_weights for layer in layers)
    items = make_items(layers, {}, split=True)
    assert len({item.name for item in items}) == len(items)
    for layer in layers:
        blocks = [item for item in items if item.layer == layer.name]
        assert [b.start for b in blocks] == [sum(x.rows for x in blocks[:i]) for i in range(len(blocks))]
        assert sum(block.rows for block in blocks) == layer.rows
        assert len({block.rows for block in blocks[:-1]}) <= 1
        if layer.num_weights <= 0.05 * total:
            assert [block.name for block in blocks] == [layer.name]
        else:
            assert all(block.num_weights <= max(0.02 * total, layer.cols) for block in blocks)
            assert 16 * layer.cols > 0.02 * total or all(block.rows % 16 == 0 for block in blocks[:-1])
    assert [item.name for item in make_items(layers, {}, split=False)] == [layer.name for layer in layers]
