"""Copies of graphs that hold no more than they must."""

from __future__ import annotations

import torch
from torch import nn

from passes.clone import clone
from passes.graph.frugal import frugal


class Growing(nn.Module):
    """Hands on what it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(4.0))

    def forward(self, past, new):
        seen = torch.cat([past, new], 1)
        return (seen * self.weight).sum(1), seen


def graph(make=Growing):
    past, new = torch.export.Dim("past", min=2, max=64), torch.export.Dim("new", min=2, max=64)
    shapes = ({1: past}, {1: new})
    program = torch.export.export(make(), (torch.ones(2, 3, 4), torch.ones(2, 5, 4)), dynamic_shapes=shapes)
    return program.module(check_guards=False)


def flat(module):
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    module._forward_pre_hooks.clear()
    module.recompile()
    return module


def test_gives_what_is_asked_for_bit_for_bit():
    module = flat(graph())
    before = module.code
    past, new = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    every = module(past, new)
    for asked in ([0, 1], [1], [1, 0]):
        assert all(map(torch.equal, frugal(module, asked)(past, new), (every[i] for i in asked)))
    assert module.code == before


def test_what_is_joined_with_nothing_is_not_copied():
    module, past = flat(graph()), torch.randn(2, 3, 4)
    (same,) = frugal(module, [1])(past, torch.empty(2, 0, 4))
    assert same is past
    turned = torch.randn(2, 4, 3).transpose(1, 2)
    (copied,) = frugal(module, [1])(turned, torch.empty(2, 0, 4))
    assert torch.equal(copied, turned) and copied.stride() == module(turned, torch.empty(2, 0, 4))[1].stride()
    (behind,) = frugal(module, [1])(torch.empty(2, 0, 4), past)
    assert torch.equal(behind, past) and behind is not past


def test_a_graph_that_writes_into_values_joins_as_ever():
    module = flat(graph())
    written = clone(module)
    (joined,) = [node for node in written.graph.nodes if node.target is torch.ops.aten.cat.default]
    with written.graph.inserting_after(joined):
        added = written.graph.call_function(torch.ops.aten.add_.Scalar, (joined, 1.0))
    joined.replace_all_uses_with(added, delete_user_cb=lambda user: user is not added)
    written.recompile()
    past = torch.randn(2, 3, 4)
    kept = past.clone()
    (more,) = frugal(written, [1])(past, torch.empty(2, 0, 4))
    assert torch.equal(more, kept + 1) and torch.equal(past, kept)
