"""The options of a bundle that is made from another: those of the base, and what belongs to a user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.errors import OptionError
from myqasr_fx.options.budget import Budget
from myqasr_fx.options.checks import expect
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.rules_file import read_rules
from myqasr_fx.options.thresholds import Thresholds

_BOUNDS = frozenset(f.name for f in fields(Thresholds))
SPEECH = ("language", "max_clips", "holdout", "seed", "no_speech_threshold", "vad_threshold")
"""Options that say of whom the bundle is, and how that is heard."""

_OWN = _BOUNDS | {*SPEECH, "private", "embed_audio", "cache", "dump_ir"}
"""Options that say nothing about widths, codes and graphs."""


def delta_config(base: object, given: Mapping[str, Any]) -> QuantizeConfig:
    """The options.

    Args:
        base: Folder of the bundle whose widths and codes stay.
        given: Options to their values; None is not given.

    Raises:
        OptionError: One of them would change widths or codes, or has a value that is refused.
        BundleError: ``base`` is no bundle.
    """
    expect(isinstance(base, (str, Path)), "delta", base, "the folder of a bundle")
    folder, given = Path(str(base)), {name: value for name, value in given.items() if value is not None}
    if others := sorted(given.keys() - _OWN):
        name = "recipe" if others[0] == "effort" else others[0]
        raise OptionError(
            f"{name.replace('_', ' ')} with delta: widths, codes and graphs are those of {folder}", hint="leave it out"
        )
    config = BundleManifest.read(folder).config
    file = read_rules(folder)
    size = Budget(**{f.name: config["budget"][f.name] for f in fields(Budget)})
    merged = {**file.options, **given}
    for name in ("budget_kind", "adapt"):
        merged.pop(name, None)
    bounds = Thresholds(**{name: merged.pop(name) for name in _BOUNDS & merged.keys()})
    return QuantizeConfig(budget=size, rules=file.layers, acceptance=bounds, delta=folder, **merged)
