"""RestoreLayers: a program that was rounded is the same again from what is known of its layers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from passes.base import Program
from passes.errors import PassError
from passes.graph import meta
from passes.graph.graph_edit import get_tensor
from passes.graph.layers import find_layers, nodes_of
from passes.lowering.lower_fake_quant import LowerToFakeQuant
from passes.manager.run_passes import run_passes
from passes.numbers.scheme import WeightSpec
from passes.rounding.correct_biases import bias_node
from passes.rounding.restore_layers import KnownLayer, RestoreLayers


def known_of(program: Program) -> dict[str, KnownLayer]:
    found = {}
    for layer in find_layers(program):
        node = next(nodes_of(program, layer))[1]
        found[layer.name] = KnownLayer(0.5, meta.get(node, meta.SCHEME), meta.get(node, meta.QUANTIZED_WEIGHT))
    return found


def test_gives_a_rounded_program_again(tiny_program: Program, rounded: Callable[..., Program]) -> None:
    wanted = rounded(WeightSpec(3), WeightSpec(16, half=True), WeightSpec(32))
    step = RestoreLayers(known_of(wanted))
    restored = run_passes(tiny_program, (step,))
    tokens = torch.arange(12).reshape(2, 6)
    outputs = [LowerToFakeQuant()(p.clone()).program.graphs["model"](tokens) for p in (wanted, restored)]
    assert torch.equal(*outputs)
    assert not torch.equal(outputs[0], tiny_program.graphs["model"](tokens))
    assert all(meta.get(node, meta.QUANTIZED_WEIGHT) is None for _, _, node in tiny_program.nodes())
    assert not step(restored).modified


def test_biases_take_the_given_values_in_one_copy(tiny_program: Program, rounded: Callable[..., Program]) -> None:
    layer = next(layer for layer in find_layers(tiny_program) if layer.name == "fc")
    module, node = next(nodes_of(tiny_program, layer))
    path = str(getattr(bias_node(node), "target", None))
    before, given = get_tensor(module, path).clone(), torch.linspace(-1, 1, layer.rows)
    known = known_of(rounded(WeightSpec(4)))
    restored = run_passes(tiny_program, (RestoreLayers(known, {path: given}),))
    assert torch.equal(get_tensor(restored.graphs["model"], path), given)
    assert torch.equal(get_tensor(module, path), before)


def test_a_layer_of_which_nothing_is_known_is_refused(tiny_program: Program) -> None:
    with pytest.raises(PassError, match="nothing is known of layer"):
        run_passes(tiny_program, (RestoreLayers({}),))
