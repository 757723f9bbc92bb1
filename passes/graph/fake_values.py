"""Shapes and types of graph values: reads and fills ``node.meta["val"]`` without computing."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx.experimental.symbolic_shapes import statically_known_true


def tensor_of(node: object) -> torch.Tensor | None:
    """The fake tensor that stands for the value of ``node``; None when unknown or no tensor."""
    value = node.meta.get("val") if isinstance(node, fx.Node) else None
    return value if isinstance(value, torch.Tensor) else None


def same_shape(left: torch.Tensor, right: torch.Tensor) -> bool:
    """True when both shapes are known to be equal for every input, symbolic sizes included."""
    if left.dim() != right.dim():
        return False
    return all(statically_known_true(a == b) for a, b in zip(left.shape, right.shape, strict=True))


def is_contiguous(tensor: torch.Tensor) -> bool:
    """True when the row-major layout is known to hold for every size."""
    expected: Any = 1
    for size, stride in zip(reversed(tensor.shape), reversed(tensor.stride()), strict=True):
        if statically_known_true(size == 1):
            continue
        if not statically_known_true(stride == expected):
            return False
        expected = expected * size
    return True


def fake_mode(graph: fx.Graph) -> FakeTensorMode | None:
    """The mode that owns the fake tensors of an exported graph."""
    for node in graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, FakeTensor):
            return value.fake_mode
    return None


def fill(node: fx.Node, mode: FakeTensorMode | None) -> fx.Node:
    """Sets the ``val`` of a new ``call_function`` node from its arguments; leaves it unset when one is unknown."""
    inputs = node.all_input_nodes
    if mode is None or node.op != "call_function" or any("val" not in n.meta for n in inputs):
        return node
    with mode, torch.no_grad():
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: _as_fake(n.meta["val"], mode))
        node.meta["val"] = node.target(*args, **kwargs)  # type: ignore[operator]  # call_function targets are callable
    return node


def _as_fake(value: Any, mode: FakeTensorMode) -> Any:
    """``value``, or its like in ``mode`` when it is a tensor from elsewhere."""
    if not isinstance(value, torch.Tensor) or (isinstance(value, FakeTensor) and value.fake_mode is mode):
        return value
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="cpu")
