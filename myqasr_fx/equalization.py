"""Equalizes the channels between layer norms or layers and the layers behind them, where the options ask for it."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from myqasr_fx.calibration import Calibration
from myqasr_fx.config import QuantizeConfig
from myqasr_fx.prepare import Prepared
from passes.base import Fact, Pass
from passes.channel_factors import equalized_gram
from passes.equalize import Equalize, norm_factors
from passes.equalize_pairs import EqualizePairs, pair_factors
from passes.manager import PassManager
from passes.scheme import Granularity, WeightSpec

TYPICAL_BITS = 4
"""Width for which factors are chosen, before the widths are known."""


def equalize(prepared: Prepared, calibration: Calibration, config: QuantizeConfig) -> Calibration:
    """Changes the graphs, which compute what they did, and gives Gram matrices of what their layers read now.

    Args:
        prepared: Canonical graphs, changed in place.
        calibration: With Gram matrices.
        config: For granularity, symmetry and whether to do anything.
    """
    spec = WeightSpec(TYPICAL_BITS, Granularity.parse(config.granularity), config.symmetric)
    factors: dict[str, Tensor] = {}
    passes: list[Pass] = []
    if config.equalize:
        norms = norm_factors(prepared.program, calibration.grams, spec)
        factors |= norms
        passes.append(Equalize(norms))
    if config.equalize_pairs:
        pairs = pair_factors(prepared.program, calibration.grams, spec)
        factors |= pairs
        passes.append(EqualizePairs(pairs))
    if not passes:
        return calibration
    dump = config.dump_ir
    PassManager(tuple(passes), frozenset({Fact.CANONICAL}), dump and dump / "equalize")(prepared.program)
    grams = {name: equalized_gram(calibration.grams[name], factor) for name, factor in factors.items()}
    return replace(calibration, grams={**calibration.grams, **grams})
