"""EqualizePairs: a layer hands some channels on smaller, and the one layer that reads them multiplies by as much.

Before::

    v = linear(x, W, b);  y = linear(merge(a @ split(v)), V, c)       a: weights of an attention; or a ReLU of v instead

After, for a positive vector s::

    v = linear(x, W / s, b / s);  y = linear(merge(a @ split(v)), V * s, c)

The function stays the same. Rows of W keep the precision that they had, as no scale spans two rows; those columns of V
whose channels matter more have finer steps within a group. A cache of values holds them divided by s.

Source: Lin et al., "AWQ", MLSys 2024, section 3.2; Nagel et al., "Data-Free Quantization Through Weight Equalization
and Bias Correction", ICCV 2019, section 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from passes.base import Fact, Program, ProgramPass
from passes.channel_factors import best_factor
from passes.channel_pairs import find_pairs, replace_channels
from passes.graph_edit import get_tensor
from passes.scheme import WeightSpec


@dataclass(frozen=True, slots=True)
class EqualizePairs(ProgramPass):
    """Moves factors between the two layers of a pair.

    Args:
        factors: Name of the reader to s (K,).
    """

    factors: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL})

    def run(self, program: Program) -> bool:
        """Replaces weights and biases; other copies of the graphs keep theirs."""
        modified = False
        for pair in find_pairs(program):
            factor = self.factors.get(pair.layers[1])
            if factor is not None and pair.homogeneous:
                replace_channels(program, pair, 1 / factor, factor)
                modified = True
        return modified


def pair_factors(program: Program, grams: Mapping[str, Tensor], spec: WeightSpec) -> Mapping[str, Tensor]:
    """Name of each reader to s, see :func:`~passes.channel_factors.best_factor`.

    Args:
        program: Canonical.
        grams: Layer name to the Gram matrix (K, K) of its inputs; a pair whose reader has none stays.
        spec: Integers of groups or rows. One scale for all rows would make those of the writer worse: nothing is found.
    """
    found: dict[str, Tensor] = {}
    for pair in find_pairs(program) if spec.granularity.kind != "tensor" else ():
        gram = grams.get(pair.layers[1])
        if gram is None or not pair.homogeneous:
            continue
        weight = get_tensor(program.graphs[pair.graph], pair.columns).detach()
        if (best := best_factor([(weight, gram)], spec)) is not None:
            found[pair.layers[1]] = best
    return found
