"""The options in ``myqasr.json`` that the pages show, checked before they do: the manifest takes any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from myqasr_fx.bundle.bundle import MANIFEST, BundleManifest
from myqasr_fx.bundle.record_reader import build_record
from myqasr_fx.errors import BundleError


@dataclass(frozen=True, slots=True)
class _Size:
    """What was asked for."""

    bytes: int | None
    avg_bits: float | None
    uniform_bits: int | None
    kind: str


@dataclass(frozen=True, slots=True)
class _Limits:
    """Bounds of the verdict."""

    min_agreement: float
    max_kl: float
    max_deletions: float
    max_insertions: float
    max_loops: float
    max_blanks: float


@dataclass(frozen=True, slots=True)
class _Options:
    """All of them."""

    sensitivity: str
    budget: Mapping[str, Any]
    acceptance: Mapping[str, Any] | None = None
    rules: tuple[Mapping[str, Any], ...] = ()


def check_options(folder: Path, manifest: BundleManifest) -> None:
    """Refuses options that no page can show.

    Raises:
        BundleError: One is missing or of another type.
    """
    try:
        options = _known(_Options, manifest.config, "config")
        _known(_Size, options.budget, "config.budget")
        if options.acceptance is not None:
            _known(_Limits, options.acceptance, "config.acceptance")
    except ValueError as error:
        raise BundleError(f"{folder / MANIFEST}: damaged: {error}", hint="quantize again") from error


def _known(record: Any, values: Mapping[str, Any], place: str) -> Any:
    """The record of the options that it knows; other releases have others."""
    names = {field.name for field in fields(record)}
    return build_record(record, {name: value for name, value in values.items() if name in names}, place)
