"""Budgets that are smaller than the codes of the weights alone: refused before a model is loaded. Loads no torch."""

from __future__ import annotations

from myqasr_fx.errors import BudgetError
from myqasr_fx.models.builtin import BUILTIN_MODELS
from myqasr_fx.models.weight_counts import count_weights
from myqasr_fx.options.budget import Budget


def check_codes_alone(model: str, budget: Budget, narrowest: int) -> None:
    """Refuses what :func:`~myqasr_fx.fit.allocation.check_feasible` would refuse for sure once all graphs are captured.

    What passes may still be too small: scales, biases, graphs and some weights come on top, which the graphs tell.

    Args:
        model: Name, folder or hub id; nothing is refused for one that is not on this machine.
        budget: Of the files or the weights.
        narrowest: Bits that every weight takes at least.

    Raises:
        BudgetError: The budget is infeasible.
        ModelError: There is no such model, or its files cannot be read.
    """
    if budget.avg_bits is not None and budget.avg_bits < narrowest:
        raise BudgetError(
            f"an average of {budget.avg_bits:g} bits a weight is infeasible: none takes less than {narrowest}",
            hint="raise it, or lower the minimum width, min_bits",
        )
    if budget.bytes is None:
        return
    weights = count_weights(model) or 0
    if 8 * budget.bytes < narrowest * weights:
        raise BudgetError(
            f"a budget of {budget.bytes:,} bytes is infeasible: the codes of {weights:,} weights at "
            f"{narrowest} bit{'s' * (narrowest > 1)} alone take {-(-narrowest * weights // 8):,} bytes",
            hint=_hint(model, narrowest),
        )


def _hint(model: str, narrowest: int) -> str:
    builtin = BUILTIN_MODELS.get(model)
    why = f"{builtin.smallest_bytes // 10**6}MB are enough for the usual options" if builtin else "scales come on top"
    return f"raise the budget: {why}" + ("; or lower the minimum width, min_bits" if narrowest > 1 else "")
