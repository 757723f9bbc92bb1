"""The named choices that options take."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from myqasr_fx.bundle.layout import LAYOUTS
from myqasr_fx.errors import OptionError, did_you_mean
from myqasr_fx.options.recipes import EFFORTS, RECIPES


def available(option: str) -> tuple[str, ...]:
    """Values that ``option`` takes now; for the methods, the names in the registry under ``passes``. Loads no torch."""
    own: dict[str, Iterable[str]] = {"recipe": RECIPES, "effort": EFFORTS, "layout": LAYOUTS}
    return tuple(own[option] if option in own else import_module(f"passes.{option}").REGISTRY)


def check_choice(option: str, value: str) -> None:
    """Refuses a value that ``option`` does not take.

    Raises:
        OptionError: The value is unknown.
    """
    known = available(option)
    if value in known:
        return
    if option == "sensitivity" and "@" in str(value):  # kl@4: the metric at a width
        import_module("passes.sensitivity.named").metric_of(value)
        return
    raise OptionError(f"unknown {option} {value!r}", hint=f"{did_you_mean(str(value), known)}known: {', '.join(known)}")
