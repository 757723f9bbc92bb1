"""One way to quantize: a recipe with changes, and a budget, as texts that name a row of every table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myqasr_fx.errors import OptionError
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.resolve import resolve_config

_SIZES = {"bits": "uniform_bits", "avg": "avg_bits"}


@dataclass(frozen=True, slots=True)
class Condition:
    """A recipe and a budget.

    Args:
        recipe: Name of a recipe, with options of its own after a colon: ``paper:order=shuffled,seed=3``.
        budget: Size such as ``24MB``, ``avg=3`` bits a weight, ``bits=4`` for one width, or ``none`` where the
            allocation takes no size.

    Raises:
        OptionError: One cannot be read, or the options contradict each other.
    """

    recipe: str
    budget: str

    def __post_init__(self) -> None:
        self.config(seed=0)

    def config(self, seed: int, cache: Path | None = None) -> QuantizeConfig:
        """The options of a run; all clips calibrate, those of noise too, since texts judge the result."""
        name, _, changes = self.recipe.partition(":")
        options: dict[str, object] = {"seed": seed, **dict(map(_option, filter(None, changes.split(","))))}
        size, _, value = self.budget.partition("=")
        if value:
            options |= dict([_option(f"{_SIZES.get(size, size)}={value}")])
        own = {"cache": cache, "holdout": 0.0, "no_speech_threshold": 1.0}
        for option in sorted(own.keys() & options):
            raise OptionError(f"recipe {self.recipe!r}: {option} is the experiment's own", hint="leave it out")
        explicit: dict[str, Any] = {**options, **own}
        if "adapt" in options:
            raise OptionError(
                f"recipe {self.recipe!r}: adapt asks which clips teach and which decide, where here all calibrate",
                hint="quantize each model with --adapt self and compare them with `myqasr evaluate`",
            )
        return resolve_config(None if value or size == "none" else self.budget, recipe=name, **explicit)


def conditions(recipes: Iterable[str], budgets: Iterable[str], activation_bits: int | None) -> tuple[Condition, ...]:
    """Every recipe at every budget, once.

    Args:
        recipes: Recipe texts.
        budgets: Budget texts.
        activation_bits: Width of quantized activations for all of them; None leaves it to the recipes.

    Raises:
        OptionError: As :class:`Condition`, or activations are not quantized by a recipe.
    """
    found = []
    for recipe in dict.fromkeys(recipes):
        if activation_bits is not None:
            recipe += f"{',' if ':' in recipe else ':'}activation_bits={activation_bits}"
        found += [Condition(recipe, budget) for budget in dict.fromkeys(budgets)]
    if activation_bits is not None:
        for condition in found:
            if condition.config(0).activations != "int8":
                raise OptionError(
                    f"activation bits with recipe {condition.recipe!r}, which keeps activations in float",
                    hint="add activations=int8,granularity=channel to it",
                )
    return tuple(found)


def _option(text: str) -> tuple[str, object]:
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise OptionError(f"{text!r}: expected option=value", hint="for example paper:order=shuffled")
    try:
        return name.replace("-", "_"), json.loads(value)
    except ValueError:
        return name.replace("-", "_"), value
