"""What a pass is.

A pass takes a ``GraphModule`` and returns :class:`PassResult`, the vocabulary of ``torch.fx.passes.infra``. A model of
several graphs (Whisper's encoder and decoder) is a :class:`Program`; a :class:`GraphPass` runs on each of its graphs, a
:class:`ProgramPass` sees them all at once. Passes are frozen dataclasses: everything they need arrives in their fields.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from torch import fx

from passes.clone import clone
from passes.errors import PassError


class Fact(StrEnum):
    """What is true of a program; a pass requires some facts, provides some and removes some."""

    CAPTURED = "captured"
    CANONICAL = "canonical"
    OBSERVED = "observed"
    SENSITIVITY = "sensitivity"
    SCHEME = "scheme"
    QPARAMS = "qparams"
    ROUNDED = "rounded"
    FAKE_QUANT = "fake_quant"
    QDQ = "qdq"


CAPTURED = frozenset({Fact.CAPTURED})
"""What is true of graphs as ``torch.export`` gives them."""


@dataclass(frozen=True, slots=True)
class Program:
    """The graphs of one model, and what is true of them.

    Args:
        graphs: Graph name (``encoder_model``, ``decoder_model_merged`` or ``model``) to its GraphModule. A weight that
            two graphs share, or that one graph uses twice, is one tensor object under one layer name.
        facts: What the passes so far left true.
    """

    graphs: Mapping[str, fx.GraphModule]
    facts: frozenset[Fact] = CAPTURED

    @classmethod
    def of(cls, target: Program | fx.GraphModule) -> Program:
        """``target`` itself, or a program of that one graph.

        Raises:
            PassError: It is neither, or its graph calls modules and methods as ``torch.fx.symbolic_trace`` leaves them.
        """
        if isinstance(target, Program):
            return target
        if not isinstance(target, fx.GraphModule):
            raise PassError(f"got a {type(target).__name__}, expected a Program or a GraphModule", hint=_EXPORT)
        for node in target.graph.nodes:
            if node.op == "call_method" or (node.op == "call_module" and _is_layer(target, str(node.target))):
                raise PassError(f"node {node.name} is a {node.op}, expected calls of ATen operators", hint=_EXPORT)
        return cls({"model": target})

    def clone(self) -> Program:
        """Graphs of its own over the same tensors, metadata included."""
        return Program({name: clone(module) for name, module in self.graphs.items()}, self.facts)

    def nodes(self) -> Iterator[tuple[str, fx.GraphModule, fx.Node]]:
        """Every node with the name and module of its graph, in order."""
        for name, module in self.graphs.items():
            for node in module.graph.nodes:
                yield name, module, node


_EXPORT = "export it with torch.export and give the .module(check_guards=False) of that"


def _is_layer(module: fx.GraphModule, name: str) -> bool:
    """A module of torch's own; observers and the guards of an exported program are not."""
    return type(module.get_submodule(name)).__module__.startswith("torch.nn.")


@dataclass(frozen=True, slots=True)
class PassResult:
    """What a pass leaves.

    Args:
        program: The program after the pass. Passes rewrite the graphs they are given.
        modified: True when a graph, its metadata or its parameters changed.
    """

    program: Program
    modified: bool

    @property
    def graph_module(self) -> fx.GraphModule:
        """The only graph of a one-graph program."""
        (module,) = self.program.graphs.values()
        return module


class Pass(ABC):
    """A named rewrite or annotation of a program."""

    requires: ClassVar[frozenset[Fact]] = frozenset()
    provides: ClassVar[frozenset[Fact]] = frozenset()
    removes: ClassVar[frozenset[Fact]] = frozenset()

    @property
    def name(self) -> str:
        """The class name."""
        return type(self).__name__

    @abstractmethod
    def run(self, program: Program) -> bool:
        """Rewrites ``program`` in place; True when something changed."""

    def __call__(self, target: Program | fx.GraphModule) -> PassResult:
        """Runs the pass alone, without a manager, and leaves the graphs recompiled and linted."""
        program = Program.of(target)
        modified = self.run(program)
        for module in program.graphs.values():
            if modified:
                module.recompile()
            module.graph.lint()
        return PassResult(replace(program, facts=self.facts_after(program.facts)), modified)

    def facts_after(self, facts: frozenset[Fact]) -> frozenset[Fact]:
        """What is true behind this pass where ``facts`` are before it."""
        return (facts - self.removes) | self.provides


class ProgramPass(Pass):
    """A pass that needs to see all graphs at once."""


class GraphPass(Pass):
    """A pass that looks at one graph at a time."""

    @abstractmethod
    def run_graph(self, module: fx.GraphModule) -> bool:
        """Rewrites ``module`` in place; True when something changed."""

    def run(self, program: Program) -> bool:
        """Runs on every graph."""
        return any([self.run_graph(module) for module in program.graphs.values()])
