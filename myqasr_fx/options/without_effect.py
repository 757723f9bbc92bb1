"""Options that are given for an allocation which does not look at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from myqasr_fx.errors import OptionError

_BY_ALGORITHM_1 = "take --allocation uniformity, or leave it out"
_IGNORED = {
    "order": (("optimal", "uniform"), _BY_ALGORITHM_1),
    "fill": (("optimal", "uniform", "linear"), _BY_ALGORITHM_1),
    "max_spread": (
        ("uniformity", "uniformity_below", "uniform", "linear"),
        "take --allocation optimal, or leave it out",
    ),
}
"""Name to the allocations of ours that ignore it, and what to do; those of other packages may look at any."""


def has_no_effect(name: str, value: object, allocation: str) -> bool:
    """True for an option that an allocation of ours does not look at; what ``fill`` asks for happens anyway."""
    ignoring, _ = _IGNORED.get(name, ((), ""))
    return allocation in ignoring and value is not None and value is not True


def check_effects(given: Mapping[str, Any], allocation: str) -> None:
    """Refuses what would change nothing.

    Args:
        given: Options that were named for this run, not those of a recipe or of rules made for many.
        allocation: The method.

    Raises:
        OptionError: Naming the option, and what to do.
    """
    for name, (_, hint) in _IGNORED.items():
        if has_no_effect(name, given.get(name), allocation):
            told = "no fill" if name == "fill" else f"{name.replace('_', ' ')} {given[name]}"
            raise OptionError(f"{told} has no effect with allocation {allocation!r}", hint=hint)
