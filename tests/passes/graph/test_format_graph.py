"""Graphs as text."""

from __future__ import annotations

import torch
from torch import nn
from torch.export import Dim

from passes.canonical.canonicalize import Canonicalize
from passes.graph import meta
from passes.graph.format_graph import format_graph, format_node
from passes.numbers.scheme import LayerScheme, RowBlock, WeightSpec


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 6)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.fc(x).chunk(2, dim=-1)


def test_one_line_a_node_with_shapes_modules_and_annotations() -> None:
    exported = torch.export.export(Model(), (torch.randn(2, 4),), dynamic_shapes=({0: Dim("batch")},))
    module = exported.module(check_guards=False)
    Canonicalize()(module)
    lines = format_graph(module).splitlines()
    assert len(lines) == len(module.graph.nodes)
    (node,) = module.graph.find_nodes(op="call_function", target=torch.ops.aten.linear.default)
    size = str(node.meta["val"].shape[0])
    assert lines[0] == "%fc_weight : f32[6, 4] = get_attr[fc.weight]"
    called = f"%linear : f32[{size}, 6] = aten.linear.default(%x, %fc_weight, %fc_bias)  # fc  layer=fc"
    assert called in lines
    assert lines[-1].startswith("%output = output((%getitem, %getitem_1))")
    meta.put(node, meta.SENSITIVITY, 1 / 3)
    meta.put(node, meta.SCHEME, LayerScheme("fc", (RowBlock(0, 6, WeightSpec(4)),)))
    assert format_node(node).endswith("sensitivity=0.333333 scheme=" + SCHEME)


SCHEME = "LayerScheme(fc,(RowBlock(0,6,WeightSpec(4,Granularity(group,64),False,False,affine,0))),rtn)"


def test_the_text_changes_with_an_annotation() -> None:
    module = torch.export.export(Model(), (torch.randn(2, 4),)).module(check_guards=False)
    before = format_graph(module)
    assert format_graph(module) == before
    next(iter(module.graph.nodes)).meta[meta.LAYER] = "fc"
    assert format_graph(module) != before
