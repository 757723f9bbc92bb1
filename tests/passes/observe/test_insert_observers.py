"""Observers see what the layers see and change nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from passes.base import Program
from passes.canonical.canonicalize import Canonicalize
from passes.errors import PassError, QuantizationError
from passes.graph.layers import find_layers
from passes.observe.activation_stats import OUTPUT, Statistics, input_role
from passes.observe.insert_observers import InsertObservers, read_statistics
from passes.observe.observer import Observer


def observed(module: nn.Module, *args: torch.Tensor) -> Program:
    graph = torch.export.export(module.eval(), args).module(check_guards=False)
    program = Canonicalize()(graph).program
    assert InsertObservers()(program).modified
    return program


def test_every_role_of_every_layer_is_filled(tiny_program: Program, tiny_statistics: Statistics) -> None:
    for layer in find_layers(tiny_program):
        assert (layer.name, OUTPUT) in tiny_statistics and (layer.name, input_role(0)) in tiny_statistics
        assert ((layer.name, input_role(1)) in tiny_statistics) == (layer.weight is None)
    assert tiny_statistics["embed", OUTPUT].count == 3 * 2 * 6 * 48
    assert tiny_statistics["embed", "embedding:output"].count == 3 * 2 * 6 * 32


def test_statistics_are_those_of_the_layer_s_values() -> None:
    module, x = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True), nn.Linear(3, 2)), torch.randn(5, 4)
    program = observed(module, x)
    expected = module(x)
    assert torch.equal(program.graphs["model"](x), expected)
    statistics = read_statistics(program)
    hidden = module[0](x)
    assert statistics["0", input_role(0)].max == x.max().item()
    assert statistics["0", OUTPUT].min == hidden.min().item()  # before the ReLU overwrites it
    assert statistics["2", input_role(0)].min == max(hidden.min().item(), 0.0)
    assert statistics["2", OUTPUT].mean == pytest.approx(expected.mean().item(), abs=1e-6)


class Attend(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.q(x) @ self.k(x).transpose(0, 1)


def test_a_value_that_several_layers_read_has_one_observer() -> None:
    program = observed(Attend(), torch.randn(3, 4))
    watchers = [m for m in program.graphs["model"].modules() if isinstance(m, Observer)]
    assert [w.roles for w in watchers] == [
        (("q", "input:0"), ("k", "input:0")),
        (("q", "output"), ("matmul_0", "input:0")),
        (("k", "output"),),
        (("matmul_0", "input:1"),),
        (("matmul_0", "output"),),
    ]


class Caching(nn.Module):
    """Hands on what is cached and its own keys; or no such thing: another value, or keys of an input that it uses."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.q, self.k, self.kind = nn.Linear(4, 4), nn.Linear(4, 4), kind

    def forward(self, x: torch.Tensor, past: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        keys = torch.cat([past, self.k(x)])
        query = self.q(past if self.kind == "used" else x)
        return query @ keys.transpose(0, 1), x if self.kind == "kept" else keys


@pytest.mark.parametrize(("kind", "seen"), [("cache", 3 * 4), ("kept", 5 * 4), ("used", 5 * 4)])
def test_what_a_cache_hands_back_was_observed_when_it_was_computed(kind: str, seen: int) -> None:
    module, given = Caching(kind), (torch.randn(3, 4), torch.full((2, 4), 9.0))
    program = observed(module, *given)
    torch.testing.assert_close(program.graphs["model"](*given), module(*given))
    keys = read_statistics(program)["matmul_0", input_role(1)]
    assert keys.count == seen and (keys.max == 9.0) is (kind != "cache")


def test_what_a_layer_with_weights_reads_is_observed_whole() -> None:
    class Dense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(8, 2)

        def forward(self, x: torch.Tensor, beside: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            both = torch.cat([beside, self.first(x)], -1)
            return self.second(both), both

    program = observed(Dense(), given := torch.randn(3, 4), beside := torch.full((3, 4), 9.0))
    program.graphs["model"](given, beside)
    assert read_statistics(program)["second", input_role(0)].max == 9.0


def test_uses_of_one_layer_are_pooled() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.fc(x).relu())

    program = observed(Twice(), torch.randn(3, 4))
    program.graphs["model"](torch.randn(3, 4))
    assert read_statistics(program)["fc", OUTPUT].count == 24


def test_a_graph_that_did_not_run_has_no_statistics() -> None:
    assert not read_statistics(observed(nn.Linear(4, 3), torch.randn(2, 4)))


def test_no_layer_no_observer() -> None:
    graph = torch.export.export(nn.ReLU(), (torch.randn(3),)).module(check_guards=False)
    assert not InsertObservers()(Canonicalize()(graph).program).modified


def test_twice_is_an_error(tiny_program: Program) -> None:
    InsertObservers()(tiny_program)
    with pytest.raises(PassError, match=r"holds observers already.*RemoveObservers"):
        InsertObservers()(tiny_program)


def test_values_that_are_not_finite_name_the_layer() -> None:
    program = observed(nn.Linear(4, 3), torch.randn(2, 4))
    program.graphs["model"](torch.full((2, 4), torch.inf))
    with pytest.raises(QuantizationError, match="input:0: 8 of 8 values are not finite"):
        read_statistics(program)
