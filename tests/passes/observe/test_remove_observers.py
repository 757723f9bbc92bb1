"""RemoveObservers restores the graph."""

from __future__ import annotations

from passes.base import Program
from passes.graph.format_graph import format_graph
from passes.observe.insert_observers import InsertObservers
from passes.observe.remove_observers import RemoveObservers


def test_the_graph_is_as_before(tiny_program: Program) -> None:
    module = tiny_program.graphs["model"]
    code, text, children = module.code, format_graph(module), [name for name, _ in module.named_modules()]
    tensors = {name: id(tensor) for name, tensor in module.state_dict(keep_vars=True).items()}
    InsertObservers()(tiny_program)
    assert module.code != code
    assert RemoveObservers()(tiny_program).modified
    assert (module.code, format_graph(module)) == (code, text)
    assert [name for name, _ in module.named_modules()] == children
    assert {name: id(tensor) for name, tensor in module.state_dict(keep_vars=True).items()} == tensors


def test_a_graph_without_observers_is_left_alone(tiny_program: Program) -> None:
    assert not RemoveObservers()(tiny_program).modified
