"""Equalizes the channels between layer norms and the layers behind them, where the options ask for it."""

from __future__ import annotations

from dataclasses import replace

from myqasr_fx.calibration import Calibration
from myqasr_fx.config import QuantizeConfig
from myqasr_fx.prepare import Prepared
from passes.base import Fact
from passes.equalize import Equalize, equalized_gram, norm_factors
from passes.manager import PassManager
from passes.scheme import Granularity, WeightSpec

TYPICAL_BITS = 4
"""Width for which factors are chosen, before the widths are known."""


def equalize_norms(prepared: Prepared, calibration: Calibration, config: QuantizeConfig) -> Calibration:
    """Changes the graphs, which compute what they did, and gives Gram matrices of what their layers read now.

    Args:
        prepared: Canonical graphs, changed in place.
        calibration: With Gram matrices.
        config: For granularity, symmetry and whether to do anything.
    """
    if not config.equalize:
        return calibration
    spec = WeightSpec(TYPICAL_BITS, Granularity.parse(config.granularity), config.symmetric)
    factors = norm_factors(prepared.program, calibration.grams, spec)
    dump = config.dump_ir
    PassManager((Equalize(factors),), frozenset({Fact.CANONICAL}), dump and dump / "equalize")(prepared.program)
    grams = {name: equalized_gram(calibration.grams[name], factor) for name, factor in factors.items()}
    return replace(calibration, grams={**calibration.grams, **grams})
