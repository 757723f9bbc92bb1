"""Sorts rows by what they are expected to cost, where the options ask for it."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from myqasr_fx.config import QuantizeConfig
from myqasr_fx.equalization import TYPICAL_BITS
from myqasr_fx.prepare import Prepared
from passes.base import Fact
from passes.channel_pairs import find_pairs
from passes.curvature import Curvature, Curvatures
from passes.damage import expected_damage, input_weights
from passes.graph_edit import get_tensor
from passes.manager import PassManager
from passes.rounding import USES_GRAMS
from passes.scheme import Granularity, WeightSpec
from passes.sort_rows import SortRows, row_order


def sort_rows(prepared: Prepared, curvatures: Curvatures, config: QuantizeConfig) -> Curvatures:
    """Changes the graphs, which compute what they did, and gives the curvatures of their layers as they are now.

    Args:
        prepared: Canonical graphs, changed in place.
        curvatures: Of the layers; a pair with a layer without one stays.
        config: For granularity, symmetry, rounding and whether to do anything.
    """
    if not config.sort_rows:
        return curvatures
    spec = WeightSpec(TYPICAL_BITS, Granularity.parse(config.granularity), config.symmetric)
    orders, found = dict[str, Tensor](), dict(curvatures)
    for pair in find_pairs(prepared.program):
        writer, reader = pair.layers
        if writer not in found or reader not in found:
            continue
        weight = get_tensor(prepared.program.graphs[pair.graph], pair.rows[0]).detach()
        inputs = input_weights(found[writer], weight.shape[1], compensated=config.rounding in USES_GRAMS)
        order = row_order(expected_damage(weight, found[writer], inputs, spec), pair.heads)
        orders[writer] = order
        found[writer] = replace(found[writer], rows=found[writer].rows[order])
        found[reader] = _with_columns(found[reader], order)
    dump = config.dump_ir
    PassManager((SortRows(orders),), frozenset({Fact.CANONICAL}), dump and dump / "sort")(prepared.program)
    return found


def _with_columns(curvature: Curvature, order: Tensor) -> Curvature:
    """Of the layer that reads its inputs in this order."""
    whole = len(curvature.gram) == len(order)
    return replace(curvature, gram=curvature.gram[order][:, order]) if whole else curvature
