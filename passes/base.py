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
        """``target`` itself, or a program of that one graph."""
        return target if isinstance(target, Program) else cls({"model": target})

    def clone(self) -> Program:
        """Graphs of its own over the same tensors, metadata included."""
        return Program({name: clone(module) for name, module in self.graphs.items()}, self.facts)

    def nodes(self) -> Iterator[tuple[str, fx.GraphModule, fx.Node]]:
        """Every node with the name and module of its graph, in order."""
        for name, module in self.graphs.items():
            for node in module.graph.nodes:
                yield name, module, node


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
