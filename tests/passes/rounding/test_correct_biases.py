"""CorrectBiases: the mean of the outputs is what it was, other copies of the graph keep theirs."""

from __future__ import annotations

import pytest
import torch

from passes.base import Program
from passes.errors import PassError
from passes.graph.graph_edit import get_tensor
from passes.graph.layers import find_layers, nodes_of
from passes.graph.ops import LayerKind
from passes.rounding.correct_biases import CorrectBiases, bias_node


def test_adds_to_the_bias_of_one_copy(tiny_program: Program) -> None:
    copy = tiny_program.clone()
    layers = [layer for layer in find_layers(tiny_program) if layer.kind in (LayerKind.LINEAR, LayerKind.CONV1D)]
    biased = 0
    for layer in layers:
        module, node = next(nodes_of(copy, layer))
        source, error = bias_node(node), torch.linspace(-1, 1, layer.rows)
        assert CorrectBiases({layer.name: error})(copy).modified == (source is not None)
        if source is None:
            continue
        biased += 1
        before = get_tensor(next(nodes_of(tiny_program, layer))[0], str(source.target))
        after = get_tensor(module, str(source.target))
        torch.testing.assert_close(after, before + error, rtol=1e-3, atol=1e-3)
        assert torch.equal(after, after.half().float())
        with pytest.raises(PassError, match=f"layer {layer.name}: mean error of shape"):
            CorrectBiases({layer.name: error[1:]})(copy)
    assert biased


def test_no_errors_change_nothing(tiny_program: Program) -> None:
    assert not CorrectBiases()(tiny_program).modified
