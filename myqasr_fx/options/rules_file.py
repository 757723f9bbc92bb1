"""Rules files: options and per-layer exceptions in TOML.

``docs/cli.md`` has the format with an example. A bundle's folder or its ``myqasr.json`` serves as a rules file too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from myqasr_fx.bundle.bundle import MANIFEST, BundleManifest
from myqasr_fx.errors import MyqasrError, OptionError
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.layer_rule import LayerRule
from myqasr_fx.options.retired import REARRANGING, current, rearranged
from myqasr_fx.options.thresholds import Thresholds
from myqasr_fx.process.library_error import first_line

_RUN_ONLY = {"budget", "rules", "acceptance", "private", "embed_audio", "cache", "dump_ir", "delta"}
"""Fields of the configuration that belong to one run and not to a file of rules."""


@dataclass(frozen=True, slots=True)
class RuleFile:
    """What a rules file holds.

    Args:
        options: Options that override the recipe's.
        layers: Exceptions, in the file's order.
    """

    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    layers: tuple[LayerRule, ...] = ()


def read_rules(path: Path) -> RuleFile:
    """Reads a rules file, or takes the options of a bundle.

    Raises:
        OptionError: The file cannot be read, is no TOML or holds an unknown key or a refused value.
        BundleError: A bundle's ``myqasr.json`` cannot be read.
    """
    if path.name == MANIFEST or path.is_dir():
        content = _of_bundle(path if path.is_dir() else path.parent)
    else:
        content = _of_toml(path)
    _known(path, "the file", content, {"options", "layers"})
    options, layers = content.get("options", {}), content.get("layers", [])
    if not isinstance(options, dict) or not isinstance(layers, list):
        raise OptionError(f"rules {path}: expected a table [options] and tables [[layers]]")
    choices = {f.name for f in (*fields(QuantizeConfig), *fields(Thresholds))} - _RUN_ONLY
    _known(path, "[options]", options, choices | {"budget_kind"})
    return RuleFile(
        MappingProxyType(options), tuple(_layer(path, number, entry) for number, entry in enumerate(layers, 1))
    )


def _of_toml(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        fits = _fits(content)
    except OSError as error:
        raise OptionError(f"rules {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits is a plain ValueError
        raise OptionError(f"rules {path}: not TOML: {first_line(error)}") from error
    if not fits:
        raise OptionError(f"rules {path}: an integer of more than 64 bits")
    return content


def _fits(value: object) -> bool:
    """Integers are no longer than TOML wants them: tomllib reads those of any length, which nobody can print."""
    if isinstance(value, (dict, list)):
        return all(map(_fits, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def _of_bundle(folder: Path) -> dict[str, Any]:
    """The options that a bundle was made with, in the form of a rules file."""
    config = dict(BundleManifest.read(folder).config)
    for option in rearranged(config):
        raise OptionError(f"rules {folder}: --{option.replace('_', '-')} exists no more", hint="quantize without rules")
    config = {name: value for name, value in current(config).items() if name not in REARRANGING}
    layers, kind = config.pop("rules", []), config.pop("budget")["kind"]
    options = {**config, **config.pop("acceptance", {}), "budget_kind": kind}
    kept = {name: value for name, value in options.items() if name not in _RUN_ONLY and value is not None}
    return {"options": kept, "layers": layers}


def _layer(path: Path, number: int, entry: object) -> LayerRule:
    where = f"[[layers]] number {number}"
    if not isinstance(entry, dict) or not isinstance(entry.get("match"), str):
        raise OptionError(f'rules {path}: {where} needs match = "GLOB"')
    _known(path, where, entry, {f.name for f in fields(LayerRule)})
    try:
        return LayerRule(**entry)
    except MyqasrError as error:
        raise OptionError(f"rules {path}: {error}") from error


def _known(path: Path, where: str, table: Mapping[str, Any], names: set[str]) -> None:
    unknown = sorted(set(table) - names)
    if unknown:
        raise OptionError(
            f"rules {path}: unknown key {unknown[0]!r} in {where}", hint=f"known: {', '.join(sorted(names))}"
        )
