"""What a scheme takes on average: the baseline that predictions of its loss are compared with."""

from __future__ import annotations

from myqasr_fx.models.prepared import Prepared
from passes.allocation.allocate_bits import read_scheme
from passes.base import Program


def average_bits(prepared: Prepared, program: Program) -> float:
    """Mean width of a weight of ``program``, scales and zero points left out."""
    widths = read_scheme(program).layers
    counts = {layer.name: layer.num_weights for layer in prepared.layers if layer.name in widths}
    return round(sum(widths[name].mean_bits * count for name, count in counts.items()) / sum(counts.values()), 4)
