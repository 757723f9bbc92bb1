"""The named choices that options take."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from myqasr_fx.bundle.layout import LAYOUTS
from myqasr_fx.errors import OptionError

_PAPER: Mapping[str, object] = MappingProxyType(
    {
        "sensitivity": "median",
        "allocation": "uniformity",
        "order": "ascending",  # Algorithm 1's plain argsort
        "calibration": "min_max",
        "rounding": "rtn",
        "granularity": "tensor",
        "symmetric": False,
        "activations": "int8",
        "activation_bits": 8,
        "activation_ranges": "single",
        "min_bits": 1,
        "max_bits": 32,
        "fill": False,
        "budget_kind": "paper",
    }
)

RECIPES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "default": MappingProxyType({}),
        "best": MappingProxyType({"allocation": "optimal", "rounding": "refined", "sequential": True, "min_bits": 2}),
        "paper": _PAPER,
        "paper-cosine": MappingProxyType({**_PAPER, "calibration": "cosine"}),
        "paper-hessian": MappingProxyType({**_PAPER, "calibration": "hessian"}),
    }
)
"""Recipe name to the options it sets; an option it leaves out keeps the default of ``QuantizeConfig``."""

METHODS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sensitivity": (
            *("median", "mean", "max", "abs_max", "std", "var", "normality"),
            *("kl", "l1", "l2", "frobenius", "spectral", "grad", "fisher"),
        ),
        "allocation": ("uniformity", "uniform", "linear", "optimal"),
        "calibration": (
            *("min_max", "percentile", "mse", "cosine", "hessian"),
            *("l1_norm", "l2_norm", "linear_weighted_l2_norm"),
        ),
        "rounding": ("rtn", "gptq", "refined"),
    }
)
"""Our own methods, for help texts: the registries, which packages add to, are not read there, as that takes torch."""

_NAMES: Mapping[str, Mapping[str, object]] = MappingProxyType({"recipe": RECIPES, "layout": LAYOUTS})
"""Options whose values are no methods of ``passes``."""


def available(option: str) -> tuple[str, ...]:
    """Values that ``option`` takes now; for the methods, the names in the registry under ``passes``."""
    if option in _NAMES:
        return tuple(_NAMES[option])
    return tuple(import_module(f"passes.{option}").REGISTRY)


def check_choice(option: str, value: str) -> None:
    """Refuses a value that ``option`` does not take.

    Raises:
        OptionError: The value is unknown.
    """
    known = available(option)
    if value in known:
        return
    if option == "sensitivity" and "@" in str(value):  # kl@4: the metric at a width
        import_module("passes.sensitivity").metric_of(value)
        return
    close = difflib.get_close_matches(str(value), known, n=1)
    guess = f"did you mean {close[0]}? " if close else ""
    raise OptionError(f"unknown {option} {value!r}", hint=f"{guess}known: {', '.join(known)}")
