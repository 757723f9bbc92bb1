"""Attention as two products: every kind of mask and scale, at the captured and at other sizes."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn
from torch.export import Dim

from passes.base import Program
from passes.canonical.canonicalize import Canonicalize
from passes.canonical.decompose_attention import DecomposeAttention
from passes.graph import meta
from passes.graph.layers import find_layers

aten = torch.ops.aten


class Attention(nn.Module):
    def __init__(self, **options: object) -> None:
        super().__init__()
        self.options = options

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, **self.options)


class Block(nn.Module):
    """Two attentions in one module, one in another."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Attention(), Attention(scale=1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x, x, x, None)
        return self.second(self.first(y, x, x, None), y, y, None)


def decomposed(module: nn.Module, args: tuple[torch.Tensor | None, ...], dims: object = None) -> fx.GraphModule:
    graph = torch.export.export(module, args, dynamic_shapes=dims).module(check_guards=False)
    Canonicalize()(graph)
    assert DecomposeAttention()(graph).modified
    assert not DecomposeAttention()(graph).modified and not Canonicalize()(graph).modified
    assert aten.scaled_dot_product_attention.default not in [node.target for node in graph.graph.nodes]
    assert all("val" in node.meta for node in graph.graph.nodes if node.op == "call_function")
    return graph


def qkv(t: int = 5, s: int = 7, heads: int = 2) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(t * 100 + s)
    return torch.randn(2, 2, t, 8), torch.randn(2, heads, s, 8), torch.randn(2, heads, s, 8)


MASKS = {
    "none": None,
    "boolean": torch.rand(5, 7, generator=torch.Generator().manual_seed(0)) > 0.3,
    "bias": torch.randn(2, 1, 5, 7, generator=torch.Generator().manual_seed(0)),
    "bias for all": torch.randn(5, 7, generator=torch.Generator().manual_seed(1)),
}


@pytest.mark.parametrize(("mask", "scale"), list(itertools.product(MASKS, (None, 1.0, 0.25))))
def test_equals_the_fused_operator(mask: str, scale: float | None) -> None:
    args = (*qkv(), MASKS[mask])
    graph = decomposed(Attention(scale=scale), args)
    torch.testing.assert_close(graph(*args), Attention(scale=scale)(*args), atol=1e-6, rtol=1e-5)
    scaled = [node for node in graph.graph.nodes if node.target is aten.mul.Tensor]
    assert [node.args[1] for node in scaled] == ([] if scale == 1 else [scale or 1 / math.sqrt(8)])


def test_a_query_without_keys_yields_zeros() -> None:
    mask = torch.ones(5, 7, dtype=torch.bool)
    mask[2] = False
    args = (*qkv(), mask)
    result = decomposed(Attention(), args)(*args)
    assert not result[:, :, 2].any()
    torch.testing.assert_close(result, Attention()(*args), atol=1e-6, rtol=1e-5)


@given(t=st.integers(1, 9), s=st.integers(1, 9))
@settings(max_examples=20, deadline=None)
def test_causal_at_any_size(t: int, s: int) -> None:
    args = (*qkv(t, s), None)
    torch.testing.assert_close(CAUSAL(*args), Attention(is_causal=True)(*args), atol=1e-6, rtol=1e-5)


def _causal() -> fx.GraphModule:
    rows, keys = Dim("rows"), Dim("keys")
    return decomposed(Attention(is_causal=True), (*qkv(), None), ({2: rows}, {2: keys}, {2: keys}, None))


CAUSAL = _causal()


def test_grouped_query_heads_are_repeated() -> None:
    q, k, v = qkv(heads=1)
    module = Attention(enable_gqa=True)
    graph = decomposed(module, (q, k, v, None))
    torch.testing.assert_close(graph(q, k, v, None), module(q, k, v, None), atol=1e-6, rtol=1e-5)


def test_dropout_stays() -> None:
    graph = torch.export.export(Attention(dropout_p=0.5), (*qkv(), None)).module(check_guards=False)
    assert not DecomposeAttention()(graph).modified


def test_products_are_layers_named_after_their_module() -> None:
    graph = decomposed(Block(), (torch.randn(2, 2, 5, 8),))
    names = [layer.name for layer in find_layers(Program.of(graph))]
    expected = ["first.qk_matmul", "first.av_matmul", "first.qk_matmul_1", "first.av_matmul_1"]
    assert names == [*expected, "second.qk_matmul", "second.av_matmul"]
    for node in graph.graph.find_nodes(op="call_function", target=aten.matmul.default):
        assert "nn_module_stack" in node.meta and isinstance(meta.get(node, meta.LAYER), str)


def test_names_stay_unique_over_graphs() -> None:
    args = (torch.randn(2, 2, 5, 8),)
    graphs = {name: torch.export.export(Block(), args).module(check_guards=False) for name in ("a", "b")}
    program = Program(graphs)
    Canonicalize()(program)
    DecomposeAttention()(program)
    layers = find_layers(program)
    assert len(layers) == 12 and all(len(layer.uses) == 1 for layer in layers)
