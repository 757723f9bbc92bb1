"""probed_change: c is the derivative of the probed outputs along the error, for every kind of layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, fx

from passes.damage.probed_change import damage_of, probed_change
from passes.errors import QuantizationError
from passes.graph.ops import aten

Operands = Callable[[Tensor], tuple[Any, ...]]
"""Weight to the arguments of a node."""

INPUTS, PICTURE, INDICES = torch.randn(2, 5, 6), torch.randn(2, 4, 9), torch.tensor([[1, 3, 1], [0, 6, 3]])
CASES: dict[str, tuple[Any, tuple[int, ...], Operands]] = {
    "linear": (aten.linear.default, (7, 6), lambda w: (INPUTS, w, None)),
    "conv1d": (aten.conv1d.default, (7, 4, 3), lambda w: (PICTURE, w, None, [2], [1], [1], 1)),
    "grouped": (aten.conv1d.default, (8, 2, 3), lambda w: (PICTURE, w, None, [1], [1], [1], 2)),
    "embedding": (aten.embedding.default, (7, 6), lambda w: (w, INDICES)),
}


def node_of(target: Any) -> fx.Node:
    return fx.Graph().call_function(target)


@pytest.mark.parametrize("name", CASES)
def test_the_changes_of_all_rows_are_the_change_of_the_output(name: str) -> None:
    target, shape, operands = CASES[name]
    weight, error = torch.randn(shape), torch.randn(shape)
    result = target(*operands(weight))
    gradient = torch.randn(result.shape)
    found = probed_change(node_of(target), operands(weight), error, gradient)
    assert found.shape == shape[:1]
    for row in range(len(error)):
        alone = torch.zeros(shape)
        alone[row] = error[row]
        expected = ((target(*operands(weight + alone)) - result) * gradient).sum()
        torch.testing.assert_close(found[row], expected, rtol=1e-3, atol=1e-4)


def test_damage_is_half_the_squared_change_a_position() -> None:
    assert damage_of(torch.tensor([3.0, -4.0]), 5) == 2.5


def test_a_product_of_activations_is_refused() -> None:
    with pytest.raises(QuantizationError, match="no weight"):
        probed_change(node_of(aten.matmul.default), (INPUTS, INPUTS), INPUTS, INPUTS)
