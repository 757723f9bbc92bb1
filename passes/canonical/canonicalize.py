"""``Canonicalize``: one spelling for every operator, one attribute for every tensor, one name for every layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from passes.base import Fact, Program, ProgramPass
from passes.canonical.annotate import annotate
from passes.canonical.no_ops import drop_no_ops
from passes.canonical.spelling import spell
from passes.canonical.ties import tie
from passes.canonical.weights import fold_weights
from passes.graph.graph_edit import drop_unused_tensors


@dataclass(frozen=True, slots=True)
class Canonicalize(ProgramPass):
    """Brings exported graphs into the form that every later pass expects.

    Before::

        d = dropout(x, 0.1, False)
        y = addmm(b, d, t(W))             W tied to an embedding under another name

    After::

        y = linear(x, W, b)               meta LAYER = path of W; W is the embedding's attribute

    The rules, each in its file under ``passes/canonical``: ``no_ops`` drops what changes nothing at inference,
    ``spelling`` gives linear, conv1d, matmul, embedding and reshape one operator and one argument list,
    ``weights`` folds weights computed from parameters alone (weight norm), ``ties`` shares one attribute between all
    uses of one tensor, ``annotate`` names the layers. Then dead nodes and unread parameters are deleted.
    """

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CAPTURED})
    provides: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL})

    def run(self, program: Program) -> bool:
        """Rewrites ``program`` in place; True when something changed."""
        modified = False
        for module in program.graphs.values():
            modified |= drop_no_ops(module)
            modified |= spell(module)
            modified |= fold_weights(module)
            modified |= bool(module.graph.eliminate_dead_code())
        modified |= tie(program)
        for module in program.graphs.values():
            modified |= drop_unused_tensors(module)
        return annotate(program) | modified
