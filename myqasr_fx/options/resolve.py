"""How recipe, rules file and explicit options make one configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from myqasr_fx.bundle.layout import LAYOUTS
from myqasr_fx.errors import OptionError, did_you_mean
from myqasr_fx.options.budget import Budget
from myqasr_fx.options.checks import expect, is_width, plain_number
from myqasr_fx.options.choices import check_choice
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.delta import delta_config
from myqasr_fx.options.layer_rule import LayerRule, narrowest
from myqasr_fx.options.recipes import DEFAULT_EFFORT, EFFORTS, RECIPES
from myqasr_fx.options.rules_file import RuleFile, read_rules
from myqasr_fx.options.thresholds import Thresholds
from myqasr_fx.options.units import parse_budget
from myqasr_fx.options.without_effect import check_effects
from passes.numbers.scheme import MAX_PACKED_BITS

_OPTIONS = {f.name for f in fields(QuantizeConfig)} - {"budget", "rules", "recipe", "acceptance"}
_THRESHOLDS = {f.name for f in fields(Thresholds)}
_BUDGET_OPTIONS = {"avg_bits", "uniform_bits", "budget_kind"}
_NAMED = {"budget", "recipe", "effort", "rules", "keep"}
"""Of :func:`resolve_config`, beside the explicit ones."""


def resolve_config(
    budget: str | int | None = None,
    *,
    recipe: str | None = None,
    effort: str | None = None,
    rules: str | Path | None = None,
    keep: str | Sequence[str] | None = None,
    **explicit: object,
) -> QuantizeConfig:
    """Makes the configuration: explicit options override the rules file, which overrides the recipe.

    An explicit granularity or rounding also overrides those of single layers in the rules file.

    Args:
        budget: Size such as ``24MB``; or give ``avg_bits`` or ``uniform_bits`` among the explicit options.
        recipe: Name of a recipe.
        effort: ``fast``, ``normal`` or ``high``, instead of a recipe; ``normal`` when neither is given.
        rules: TOML file, or a bundle whose options to take again, see :mod:`myqasr_fx.options.rules_file`.
        keep: ``NAME-GLOB=BITS``, one or several: rules that go before those of the file; 16 and 32 bits are floats.
        explicit: Fields of :class:`~myqasr_fx.options.config.QuantizeConfig`, of
        :class:`~myqasr_fx.options.thresholds.Thresholds`
            and of :class:`~myqasr_fx.options.budget.Budget` (``budget_kind`` for its kind); None means not given.

    Raises:
        OptionError: An option is unknown or has a value that the configuration refuses, or a recipe comes with an
            effort, or is given for an allocation that ignores it.
    """
    given = _given(explicit)
    if (base := given.pop("delta", None)) is not None:
        said = dict(budget=budget, recipe=recipe, effort=effort, rules=rules, keep=keep or None)
        return delta_config(base, given | said)
    size, layers, merged = _merged(budget, recipe, effort, rules, keep, given)
    acceptance = Thresholds(**{name: merged.pop(name) for name in _THRESHOLDS & set(merged)})
    config = QuantizeConfig(budget=size, rules=layers, acceptance=acceptance, **merged)
    if size.uniform_bits is None or "allocation" in given:  # one width among the sizes of an experiment orders nothing
        check_effects(given, config.allocation)
    return config


@dataclass(frozen=True, slots=True)
class AskedSize:
    """What options say of the size of the result.

    Args:
        budget: The size.
        narrowest: Bits that every weight takes at least.
    """

    budget: Budget
    narrowest: int


def asked_size(
    budget: str | int | None = None,
    *,
    recipe: str | None = None,
    effort: str | None = None,
    rules: str | Path | None = None,
    keep: str | Sequence[str] | None = None,
    **explicit: object,
) -> AskedSize | None:
    """The size alone, for who cannot wait for the methods, which load torch; None where other options decide it.

    Args:
        budget: As in :func:`resolve_config`, as all that follow.
        recipe: The same.
        effort: The same.
        rules: The same.
        keep: The same.
        explicit: The same.

    Raises:
        OptionError: As :func:`resolve_config`, for what is read here.
    """
    given = _given(explicit)
    if "delta" in given:
        return None
    size, layers, merged = _merged(budget, recipe, effort, rules, keep, given)
    least = merged["min_bits"]
    return AskedSize(size, narrowest(least, layers)) if is_width(least, size.kind) else None


def _given(explicit: Mapping[str, object]) -> dict[str, Any]:
    given = {name: plain_number(value) for name, value in explicit.items() if value is not None}
    if unknown := set(given) - _OPTIONS - _BUDGET_OPTIONS - _THRESHOLDS:
        name, known = min(unknown), sorted(_OPTIONS | _BUDGET_OPTIONS | _THRESHOLDS | _NAMED)
        raise OptionError(f"unknown option {name!r}", hint=f"{did_you_mean(name, known)}known: {', '.join(known)}")
    return given


def _merged(
    budget: str | int | None,
    recipe: str | None,
    effort: str | None,
    rules: str | Path | None,
    keep: str | Sequence[str] | None,
    given: Mapping[str, Any],
) -> tuple[Budget, tuple[LayerRule, ...], dict[str, Any]]:
    """The size, the rules of single layers, and all other options, unchecked."""
    expect(rules is None or isinstance(rules, (str, Path)), "rules", rules, "a TOML file or the folder of a bundle")
    file = RuleFile() if rules is None else read_rules(Path(rules))
    chosen = _recipe(recipe, effort, {**file.options, **given})
    merged: dict[str, Any] = {**RECIPES[chosen].options(), **file.options, **given, "recipe": chosen}
    size = Budget(
        bytes=None if budget is None else parse_budget(budget),
        avg_bits=merged.pop("avg_bits", None),
        uniform_bits=merged.pop("uniform_bits", None),
        kind=merged.pop("budget_kind"),
    )
    if size.kind != "file" and "fill" not in {**file.options, **given}:
        merged["fill"] = False  # Algorithm 1 starts from full precision and gives no bytes back
    if size.uniform_bits is not None and "allocation" not in {**file.options, **given}:
        merged["allocation"] = "uniform"
    return size, _kept(keep) + _without(file.layers, {"granularity", "rounding"} & set(given)), merged


def _recipe(recipe: str | None, effort: str | None, options: Mapping[str, object]) -> str:
    """The recipe that is asked for; the paper's where a client or a budget rules out what the usual one does.

    Args:
        recipe: By its name.
        effort: By its effort.
        options: Others that are given, those of the rules file among them.
    """
    if recipe is not None and effort is not None:
        raise OptionError("recipe and effort exclude each other", hint="an effort is a recipe: give one of them")
    if effort is not None:
        check_choice("effort", effort)
        return EFFORTS[effort]
    asked = recipe or options.get("recipe")
    if asked is not None:
        check_choice("recipe", str(asked))
        return str(asked)
    layout = LAYOUTS.get(str(options.get("layout")))
    paper = options.get("budget_kind", "file") != "file" or (layout is not None and layout.fixed_cache)
    return "paper-file" if paper or options.get("allocation") == "linear" else EFFORTS[DEFAULT_EFFORT]


def _kept(keep: str | Sequence[str] | None) -> tuple[LayerRule, ...]:
    asked = (keep,) if isinstance(keep, str) else () if keep is None else keep
    known = isinstance(asked, Sequence) and all(isinstance(text, str) for text in asked)
    expect(known, "keep", keep, "texts NAME=BITS")
    return tuple(map(_kept_layer, asked))


def _kept_layer(text: str) -> LayerRule:
    match, found, bits = text.rpartition("=")
    if not found or not match or not bits.isdecimal():
        raise OptionError(f"keep {text!r}: expected NAME=BITS", hint="for example *.embed_tokens=8")
    width = int(bits)
    return LayerRule(match, keep=width) if width > MAX_PACKED_BITS else LayerRule(match, bits=width)


def _without(rules: tuple[LayerRule, ...], names: set[str]) -> tuple[LayerRule, ...]:
    """The rules without these fields; rules that then say nothing are left out."""
    left = ({f.name: getattr(rule, f.name) for f in fields(LayerRule) if f.name not in names} for rule in rules)
    return tuple(LayerRule(**rule) for rule in left if any(v is not None for k, v in rule.items() if k != "match"))
