"""file_size: prices just above what is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from myqasr_fx.export.file_size import Storage, file_size
from myqasr_fx.export.files import model_bytes
from passes.allocation.items import make_items
from passes.base import Program
from passes.graph.layers import find_layers
from passes.numbers.scheme import Granularity, WeightSpec

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


def test_prices_follow_what_is_stored(prepared: Callable[[str], Program]) -> None:
    base = prepared("small")
    layers = find_layers(base)
    items = make_items(layers, {}, split=True)
    each = {layer.name: CHANNEL for layer in layers}
    asymmetric, symmetric, integer = (
        file_size(base, items, each, storage) for storage in (Storage(), Storage(True), Storage(integer=True))
    )
    for item in items:
        for bits in range(2, 9):
            assert symmetric.bytes_of(item, bits) < asymmetric.bytes_of(item, bits)
        assert asymmetric.bytes_of(item, 32) > asymmetric.bytes_of(item, 16)
    assert integer.fixed > asymmetric.fixed
    assert file_size(base, items, each, Storage(), surplus=-7).fixed == asymmetric.fixed - 7
