"""Layers of a canonical program."""

from __future__ import annotations

import pytest
import torch

from passes.base import Program
from passes.errors import PassError
from passes.graph import meta
from passes.graph.layers import Layer, Use, find_layers, nodes_of, weight_of
from passes.graph.ops import LayerKind


def test_layers_come_in_network_order_with_all_their_uses(tiny_program: Program) -> None:
    layers = {layer.name: layer for layer in find_layers(tiny_program)}
    assert list(layers) == ["embed", "conv", "fc", "matmul_0", "matmul_1"]
    assert (layers["conv"].kind, layers["conv"].shape, layers["conv"].cols) == (LayerKind.CONV1D, (32, 32, 3), 96)
    assert (layers["embed"].kind, layers["embed"].num_weights) == (LayerKind.LINEAR, 48 * 32)
    product = layers["matmul_0"]
    assert (product.weight, product.rows, product.cols, product.num_weights) == (None, 0, 0, 0)
    for layer in layers.values():
        for module, node in nodes_of(tiny_program, layer):
            assert meta.get(node, meta.LAYER) == layer.name
            if layer.weight is not None:
                assert tuple(weight_of(module, layer).shape) == layer.shape


def test_a_product_has_no_weight(tiny_program: Program) -> None:
    product = find_layers(tiny_program)[-1]
    with pytest.raises(PassError, match="matmul_1: a product"):
        weight_of(tiny_program.graphs["model"], product)


def test_a_node_that_is_gone_is_named() -> None:
    layer = Layer("fc", LayerKind.LINEAR, "fc.weight", (2, 3), (Use("model", "linear", LayerKind.LINEAR),))
    empty = torch.fx.GraphModule(torch.nn.Module(), torch.fx.Graph())
    with pytest.raises(PassError, match="node linear is no longer in graph model"):
        list(nodes_of(Program.of(empty), layer))


def test_layers_are_checked() -> None:
    use = Use("model", "linear", LayerKind.LINEAR)
    with pytest.raises(PassError, match="no node uses it"):
        Layer("fc", LayerKind.LINEAR, "fc.weight", (2, 3), ())
    with pytest.raises(PassError, match="weight None"):
        Layer("fc", LayerKind.LINEAR, None, (), (use,))


def test_one_name_for_two_weights_is_an_error(tiny_program: Program) -> None:
    module = tiny_program.graphs["model"]
    for node in module.graph.nodes:
        if meta.get(node, meta.LAYER) == "fc":
            node.meta[meta.LAYER] = "conv"
    with pytest.raises(PassError, match=r"layer conv: node .* reads fc.weight, expected conv.weight"):
        find_layers(tiny_program)


def test_a_weight_that_is_computed_is_named(tiny_program: Program) -> None:
    graph = tiny_program.graphs["model"].graph
    node = next(n for n in graph.nodes if meta.get(n, meta.LAYER) == "fc")
    with graph.inserting_before(node):
        node.update_arg(1, graph.call_function(torch.ops.aten.neg.default, (node.args[1],)))
    with pytest.raises(PassError, match="layer fc: the weight of node linear of model is no attribute"):
        find_layers(tiny_program)
