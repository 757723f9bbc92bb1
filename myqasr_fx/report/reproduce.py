"""The commands that make a bundle again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.delta import SPEECH
from myqasr_fx.options.recipes import DEFAULT_EFFORT, EFFORTS, PAPER_FILE, RECIPES, Recipe
from myqasr_fx.options.retired import current
from myqasr_fx.options.thresholds import Thresholds
from myqasr_fx.options.without_effect import has_no_effect

_NAMED_ELSEWHERE = {"budget", "rules", "acceptance"}
_OF_A_RUN = ("private", "embed_audio")
_NO_OPTION = {"activation_bits", "activation_ranges"}
_EFFORT_OF = {recipe: effort for effort, recipe in EFFORTS.items()}
_OFF = {
    "symmetric": "--asymmetric",
    "fill": "--no-fill",
    "sequential": "--parallel",
}


def command(manifest: BundleManifest) -> str:
    """``myqasr quantize`` with every option that is not the recipe's; recordings and folder are the user's own."""
    config = current(manifest.config)
    words = ["myqasr", "quantize", manifest.model, "--audio", "RECORDINGS"]
    if config.get("delta"):
        own = {name: config.get(name) for name in SPEECH + _OF_A_RUN}
        changed = _changed(own, QuantizeConfig) + _changed(config.get("acceptance", {}), Thresholds)
        return shlex.join([*words, "--delta", "BASE", *changed, "--out", "BUNDLE"])
    words += _size(config["budget"])
    if config.get("rules"):
        # A bundle's other options come with its rules; beside options of one's own, not all rules do.
        own = {name: config.get(name, False) for name in _OF_A_RUN}
        return shlex.join([*words, *_changed(own, QuantizeConfig), "--rules", "BUNDLE", "--out", "ANOTHER"])
    if (kind := config["budget"]["kind"]) != _recipe(config).budget_kind:
        words += ["--budget-kind", str(kind)]
    words += _changed(config, QuantizeConfig) + _changed(config.get("acceptance", {}), Thresholds)
    return shlex.join([*words, "--out", "BUNDLE"])


def _size(budget: Mapping[str, Any]) -> list[str]:
    options = {"bytes": "--budget", "avg_bits": "--avg-bits", "uniform_bits": "--uniform-bits"}
    return [text for key, name in options.items() if budget[key] is not None for text in (name, str(budget[key]))]


def _recipe(values: Mapping[str, Any]) -> Recipe:
    return RECIPES.get(str(values.get("recipe")), PAPER_FILE)


def _changed(values: Mapping[str, Any], owner: type[QuantizeConfig] | type[Thresholds]) -> list[str]:
    words: list[str] = []
    recipe = {**_recipe(values).options(), "recipe": EFFORTS[DEFAULT_EFFORT]}
    for field in fields(owner):
        name, value = field.name, values.get(field.name)
        usual = recipe.get(name, field.default)
        if value is None or value == usual or name in _NAMED_ELSEWHERE | _NO_OPTION:
            continue
        if has_no_effect(name, value, str(values.get("allocation"))):
            continue
        if name == "recipe" and str(value) in _EFFORT_OF:
            words += ["--effort", _EFFORT_OF[str(value)]]
            continue
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(option if value else _OFF.get(name, f"--no-{option[2:]}"))
        else:
            words += [option, str(value)]
    return words
