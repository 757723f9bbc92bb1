"""Texts of graphs that are done with go; those of earlier graphs, and those that an error may show, stay."""

from __future__ import annotations

import linecache

import pytest
import torch
from torch import Tensor, fx

from myqasr_fx.process.graph_sources import kept_sources, sources_forgotten


class Double(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + x


def name_of(graph: fx.GraphModule) -> str:
    return str(type(graph).forward.__code__.co_filename)


def test_texts_of_graphs_made_within_go() -> None:
    earlier = fx.symbolic_trace(Double())
    with sources_forgotten():
        within = fx.symbolic_trace(Double())
        assert linecache.getlines(name_of(within)) and name_of(within) in kept_sources()
    assert name_of(within) not in kept_sources() and not linecache.getlines(name_of(within))
    assert linecache.getlines(name_of(earlier)) and name_of(earlier) in kept_sources()
    assert within(torch.ones(1)).item() == 2 and "x + x" in within.code


def test_an_error_keeps_them() -> None:
    with pytest.raises(RuntimeError), sources_forgotten():
        within = fx.symbolic_trace(Double())
        raise RuntimeError
    assert linecache.getlines(name_of(within))


def test_where_torch_keeps_none_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(fx.graph_module, "_loader")
    with sources_forgotten():
        assert kept_sources() == {}
