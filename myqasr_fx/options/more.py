"""What another run could do more of, as its options count it."""

from __future__ import annotations

from myqasr_fx.bundle.layout import LAYOUTS
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.recipes import EFFORTS, RECIPES
from passes.numbers.scheme import MAX_PACKED_BITS

_HIGH = EFFORTS["high"]

_LEAST_UNUSED = 0.02
"""Of a budget: less is the rest that no width fills."""


def looked_longest(config: QuantizeConfig) -> bool:
    """True when no effort looks longer for codes, or none that would is possible."""
    searched = config.recipe == _HIGH or config.rounding == RECIPES[_HIGH].rounding
    return searched or LAYOUTS[config.layout].fixed_cache  # whose decoder cannot be rounded in sequence


def counted_bytes(config: QuantizeConfig, model_bytes: int, budget: int | None, num_weights: int) -> int:
    """Bytes of a run as a larger budget would count them.

    Args:
        config: Its options.
        model_bytes: Of its files.
        budget: What was allowed.
        num_weights: Weights in layers.
    """
    if config.budget.kind == "file":
        return max(model_bytes, budget or 0)
    return budget or (config.budget.uniform_bits or 0) * num_weights // 8


def unused_bytes(config: QuantizeConfig, model_bytes: int, budget: int | None) -> int:
    """Bytes of the budget that the bounds of the widths left; 0 where something else left them.

    Args:
        config: Options of the run.
        model_bytes: Of its files.
        budget: What was allowed.
    """
    bounded = config.max_bits < MAX_PACKED_BITS or config.max_spread is not None
    if budget is None or config.budget.kind != "file" or not bounded:
        return 0
    left = budget - model_bytes
    return left if left > _LEAST_UNUSED * budget else 0
