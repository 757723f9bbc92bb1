"""file_size: prices just above what is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from myqasr_fx.export.file_size import divided_bytes, file_size, fixed_bytes
from myqasr_fx.export.files import model_bytes
from myqasr_fx.export.text_bytes import Storage
from passes.allocation.allocate_bits import read_scheme
from passes.allocation.items import make_items
from passes.allocation.size_rule import Item
from passes.base import Program
from passes.canonical.canonicalize import Canonicalize
from passes.graph.layers import Layer, Use, find_layers
from passes.graph.ops import LayerKind
from passes.numbers.row_codes import LEAST
from passes.numbers.scheme import Granularity, LayerScheme, RowBlock, WeightSpec, weight_spec
from passes.rounding.round_floats import RoundFloats

Run = Callable[..., Any]
Write = Callable[..., Any]
Tokens = Callable[[int], torch.Tensor]
TENSOR, CHANNEL, GROUP = Granularity("tensor"), Granularity("channel"), Granularity("group", 16)
HALF = WeightSpec(16, half=True)


@pytest.mark.parametrize(
    ("network", "spec", "opset"),
    [
        ("everything", WeightSpec(3, GROUP), 21),
        ("everything", WeightSpec(8, TENSOR), 21),
        ("small", WeightSpec(4, CHANNEL, True), 21),
        ("small", WeightSpec(2, GROUP), 25),
        ("small", HALF, 21),
        ("small", WeightSpec(32), 21),
    ],
)
def test_the_price_is_just_above_the_file(
    write: Write, network: str, spec: WeightSpec, opset: int, prepared: Callable[[str], Program]
) -> None:
    base = prepared(network)
    layers = find_layers(base)
    items = make_items(layers, {}, split=True)
    storage = Storage(spec.symmetric, opset)
    rule = file_size(base, items, {layer.name: spec.granularity for layer in layers}, storage)
    predicted = rule.size(items, {item.name: spec.bits for item in items})
    size = model_bytes([write(network, spec, opset=opset).path])
    assert size <= predicted <= size + 14_000


@pytest.mark.parametrize("network", ["everything", "small"])
@pytest.mark.parametrize("strings", [(), (1, 2, 3, 4)])
def test_the_price_of_divided_layers_is_just_above_the_file(
    write: Write, network: str, strings: tuple[int, ...], prepared: Callable[[str], Program]
) -> None:
    specs = [WeightSpec(bits, GROUP) for bits in (4, 3, 5)]
    specs = [specs[0], *(weight_spec(bits, GROUP, False, "trellis") for bits in strings)] if strings else specs
    written, layers = write(network, *specs), [layer for layer in find_layers(prepared(network)) if layer.weight]
    schemes = [(layer, read_scheme(written.program).layers[layer.name]) for layer in layers]
    items = [
        Item(f"{layer.name} {block.start}", layer.name, block.start, block.rows, layer.cols)
        for layer, scheme in schemes
        for block in scheme.blocks
    ]
    storage = Storage(trellis=frozenset(layer.name for layer in layers) if strings else frozenset())
    each = {layer.name: GROUP for layer in layers}
    affine, rule = (file_size(prepared(network), items, each, own) for own in (Storage(), storage))
    blocks = [block for _, scheme in schemes for block in scheme.blocks]
    prices = [(rule if block.spec.is_trellis else affine).bytes_of for block in blocks]
    predicted = rule.fixed + sum(
        price(item, block.spec.bits) for price, item, block in zip(prices, items, blocks, strict=True)
    )
    extra = divided_bytes(schemes, items, storage)
    assert predicted < model_bytes([written.path]) <= predicted + extra
    # Columns of one width, as here, need less text than those of several, which prices have in mind.
    assert predicted + extra <= model_bytes([written.path]) + (45_000 if strings else 20_000)


def test_items_that_are_one_block_share_its_widths_and_gains() -> None:
    layer = Layer("fc", LayerKind.LINEAR, "fc.weight", (48, 64), (Use("model", "fc", LayerKind.LINEAR),))
    items = [Item(f"fc[{start}]", "fc", start, 16, 64) for start in (0, 16, 32)]
    spec = WeightSpec(3, GROUP, symmetric=True, format="trellis", quarters=1)
    scheme = LayerScheme("fc", (RowBlock(0, 48, spec),))
    saved = -divided_bytes([(layer, scheme)], items, Storage())
    own = 64 // 2 + 64 + 2 * 64  # bytes of widths, of gains, and those that strings end with
    assert 2 * own < saved < 2 * (own + 150)


def test_prices_follow_what_is_stored(prepared: Callable[[str], Program]) -> None:
    base = prepared("small")
    layers = find_layers(base)
    items = make_items(layers, {}, split=True)
    each = {layer.name: CHANNEL for layer in layers}
    asymmetric, symmetric, integer = (
        file_size(base, items, each, storage) for storage in (Storage(), Storage(True), Storage(integer=True))
    )
    for item in items:
        for bits in range(2, 8):
            assert symmetric.bytes_of(item, bits) < asymmetric.bytes_of(item, bits)
        assert asymmetric.bytes_of(item, 32) > asymmetric.bytes_of(item, 16)
    for layer in layers:  # operators unpack signed bytes in groups, once a layer: no item of few rows pays for them
        own = [item for item in items if item.layer == layer.name]
        sizes = [sum(rule.bytes_of(item, 8) for item in own) for rule in (symmetric, asymmetric)]
        assert sizes[0] < sizes[1]
    assert integer.fixed > asymmetric.fixed
    assert file_size(base, items, each, Storage(), surplus=-7).fixed == asymmetric.fixed - 7


def test_coded_tables_are_priced_so() -> None:
    class Place(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.randn(LEAST // 32, 32, generator=torch.Generator().manual_seed(0)))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.table

    exported = torch.export.export(Place(), (torch.zeros(LEAST // 32, 32),)).module(check_guards=False)
    program = Canonicalize()(exported).program
    coded, half = (fixed_bytes(program, Storage(tables=tables)) for tables in (True, False))
    assert LEAST // 2 < half - coded < LEAST
    RoundFloats(tables=True)(program)
    assert fixed_bytes(program, Storage(tables=True)) == coded
